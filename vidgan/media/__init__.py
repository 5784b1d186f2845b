"""Files in, files out: movies, stills, frame sequences. The only place that imports av and imageio."""
