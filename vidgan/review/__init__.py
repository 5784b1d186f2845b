"""What a supervisor looks at: takes as files, contact sheets, exports."""
