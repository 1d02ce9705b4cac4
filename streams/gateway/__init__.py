"""The MQTT door for devices: Mosquitto in front, this gateway behind it, the bus behind that."""
