"""Decide: domain model, life-cycle, rules, routing, permissions, ports. No I/O; the clock is passed in."""
