"""What everything else stands on: ids, the op table and the messages."""
