from vidgan.footage.procedural.characters import jump, walk, wave
from vidgan.footage.procedural.scenes import landscape
CLASSES = {"walk": walk, "wave": wave, "jump": jump, "landscape": landscape}
