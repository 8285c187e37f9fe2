"""The history of the catalogue's tables; write mode brings a catalogue up to date."""
