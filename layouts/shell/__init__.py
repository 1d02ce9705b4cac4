"""What every Dash page shares: the frame, small pieces, and the view (language, time zone, actor)."""
