"""What other makers' video systems send, turned into messages of city.video-alarm.v1. Pure: bytes in, message out."""
