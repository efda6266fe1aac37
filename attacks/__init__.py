"""What an attacker does with confidence vectors. Arrays only: neither models nor artifacts are known here."""
