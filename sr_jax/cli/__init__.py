"""What the commands' arguments share."""
