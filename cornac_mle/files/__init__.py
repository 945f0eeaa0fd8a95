"""Reading and writing: interactions of any layout, profiles; each file whole or not at all."""
