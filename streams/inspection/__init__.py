"""Looking at a running Leadbeat from outside: what lies in Redis, unpacked, and what is wrong. It changes nothing."""
