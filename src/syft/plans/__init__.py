"""Plans and protocols: functions recorded as commands, stored on workers, run with one message."""
