"""The request is wrong: INVALID_ARGUMENT, never retried unchanged."""

from headway.contract.errors.kernel import Code, HeadwayError


class InvalidArgument(HeadwayError):
    """A field of the request is missing, malformed or out of its bounds."""

    reason = "INVALID_ARGUMENT"
    code = Code.INVALID_ARGUMENT


class MalformedRequest(InvalidArgument):
    """The bytes are not a message of the method's request type."""

    reason = "MALFORMED"


class FieldRequired(InvalidArgument):
    """A required field is absent."""

    reason = "FIELD_REQUIRED"


class ReadOnlyField(InvalidArgument):
    """The caller set a field that only the server writes."""

    reason = "READ_ONLY_FIELD"


class UnknownEnumValue(InvalidArgument):
    """An enum field carries a number that this server does not know."""

    reason = "UNKNOWN_ENUM_VALUE"


class OutOfRange(InvalidArgument):
    """A number is outside its documented bounds, or not finite."""

    reason = "OUT_OF_RANGE"


class InvalidRequestId(InvalidArgument):
    """The request_id is not 1-128 characters of letters, digits and . _ : -."""

    reason = "REQUEST_ID"


class InvalidName(InvalidArgument):
    """A resource name or id does not follow its pattern."""

    reason = "INVALID_NAME"


class InvalidModelId(InvalidArgument):
    """A model id does not follow [a-z0-9][a-z0-9._-]{0,63}."""

    reason = "MODEL_ID"


class InvalidDataPath(InvalidArgument):
    """A data path leaves the data root, is no regular file or cannot be read."""

    reason = "DATA_PATH"


class UnsupportedScheme(InvalidArgument):
    """A data path is a URL; headway reads files below its data root only."""

    reason = "SCHEME"


class UnknownDataset(InvalidArgument):
    """The spec names a dataset or version that does not exist in the project."""

    reason = "UNKNOWN_DATASET"


class UnknownTeacher(InvalidArgument):
    """The spec names a teacher that does not exist in the project, or that no student can learn from."""

    reason = "UNKNOWN_TEACHER"


class TeacherMismatch(InvalidArgument):
    """The teacher does not fit the table, the task or the other teachers."""

    reason = "TEACHER_MISMATCH"


class InvalidColumns(InvalidArgument):
    """A column named by the spec is unknown, repeated or the target itself."""

    reason = "COLUMNS"


class UnknownMode(InvalidArgument):
    """The training mode is none of the known ones."""

    reason = "UNKNOWN_MODE"


class ModeNotPossible(InvalidArgument):
    """The training mode exists, but not for such a job: for classes only, or not to be distilled."""

    reason = "MODE_NOT_POSSIBLE"


class RowsRefused(InvalidArgument):
    """Rows to answer are not such as the model takes; the violation names the column and the recipe's own reason."""

    reason = "ROWS"


class ModelTooLarge(InvalidArgument):
    """The model that the spec describes has more parameters than the limit."""

    reason = "MODEL_TOO_LARGE"


class InvalidFilter(InvalidArgument):
    """A filter, order or page argument of a list call cannot be read."""

    reason = "INVALID_FILTER"


class InvalidPageToken(InvalidArgument):
    """A page token is not one of ours, or belongs to other arguments."""

    reason = "INVALID_PAGE_TOKEN"


class StreamProtocol(InvalidArgument):
    """The messages of an upload stream come in the wrong order or shape."""

    reason = "STREAM_PROTOCOL"


class SizeMismatch(InvalidArgument):
    """The bytes sent are not as many as declared, or the declared size is out of bounds."""

    reason = "SIZE_MISMATCH"


class InvalidGzip(InvalidArgument):
    """The compressed bytes are not exactly one whole gzip member of the declared content."""

    reason = "GZIP_INVALID"


class InvalidDigest(InvalidArgument):
    """A digest is not 'sha256:' and 64 lower-case hexadecimal digits."""

    reason = "DIGEST"


class ForbiddenContent(InvalidArgument):
    """A file is of a kind that headway never opens, such as a pickle."""

    reason = "FORBIDDEN_CONTENT"


class InvalidSafetensors(InvalidArgument):
    """A state dict is not a well-formed safetensors file."""

    reason = "SAFETENSORS_INVALID"


class TooManyTensors(InvalidArgument):
    """A state dict lists more tensors than the limit."""

    reason = "TOO_MANY_TENSORS"


class InvalidTensor(InvalidArgument):
    """A tensor's name, dtype, shape or values are not acceptable."""

    reason = "TENSOR_INVALID"


class ArchitectureMismatch(InvalidArgument):
    """The tensors of a bundle are not those that its architecture describes."""

    reason = "ARCHITECTURE_MISMATCH"


class InvalidManifest(InvalidArgument):
    """A bundle's manifest lacks a required file, names one twice or one that was not uploaded."""

    reason = "MANIFEST"


class InvalidTable(InvalidArgument):
    """A data file cannot be read as a table; the message names the line or column."""

    reason = "INVALID_TABLE"


class InvalidHostState(InvalidArgument):
    """A trainer host reported an impossible capacity, attempt or progress."""

    reason = "HOST_STATE"


class InvalidEncoding(InvalidTable):
    """A data file is not UTF-8, or holds NUL bytes; headway never guesses an encoding."""

    reason = "ENCODING"


class NotEnoughRows(InvalidTable):
    """A table has fewer rows below its header than anything can be learned from."""

    reason = "NOT_ENOUGH_ROWS"


class FieldTooLong(InvalidTable):
    """A field of a table is over the size limit, or a quote is never closed."""

    reason = "FIELD_TOO_LONG"


class TooManyColumns(InvalidTable):
    """A table has more columns than the limit."""

    reason = "TOO_MANY_COLUMNS"


class ArchiveNotSupported(InvalidTable):
    """A data file is an archive or compressed; headway takes the file inside of it."""

    reason = "ARCHIVE_NOT_SUPPORTED"
