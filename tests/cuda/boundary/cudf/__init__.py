"""In the place of a cuDF whose CUDA libraries are missing."""


class DynamicLibNotFoundError(RuntimeError):
    """As of cuda.pathfinder."""


raise DynamicLibNotFoundError('Failure finding "libnvrtc.so": No such file: libnvrtc.so.*')
