"""What people ask of a store or a config from outside: status, garbage, estimates, a rehearsal."""
