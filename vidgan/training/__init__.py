"""The game: objectives, the loop, its state, and what it leaves behind."""
