"""Reading and writing: interactions, profiles and their layouts, each file whole or not at all."""
