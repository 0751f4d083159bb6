"""What depends on the machine: files, folders, versions, compiled programs."""
