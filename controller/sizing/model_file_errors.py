"""What can be wrong with a model's own files.

::

    ModelFileError                  .file .field .value .remedy
    └── UnknownArchitecture         a config.json whose model type nothing here knows; .model_type
"""

from controller.sizing.errors import SizingError, shown


class ModelFileError(SizingError):
    """A file that cannot be used. The text names the file, the field in it, its value and what to do instead.

    ``value`` None is left out of the text: the field is not there, or the trouble is not one value's.
    """

    def __init__(self, file: str, field: str, value: object, problem: str, remedy: str) -> None:
        super().__init__(field, value, problem, remedy)
        self.file = file
        where = f"{file}: {field}" if field else file
        self.args = (f"{where}{'' if value is None else f' {shown(value)}'} {problem}: {remedy}",)


class UnknownArchitecture(ModelFileError):
    """A config.json of a model type whose tensors are not known here."""

    def __init__(self, file: str, field: str, model_type: str) -> None:
        super().__init__(
            file,
            field,
            model_type,
            "is an architecture that is not known here",
            "give a directory with its safetensors files (--directory DIR), from whose headers it can be estimated",
        )
        self.model_type = model_type
