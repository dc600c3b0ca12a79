"""How jobs run and publish. Below all else, and can change no result: nothing here enters a key."""
