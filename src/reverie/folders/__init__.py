"""What a session's sandbox holds, on this machine's disk: memory, files, repositories, outputs."""
