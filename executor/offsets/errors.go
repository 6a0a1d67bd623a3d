package offsets

import "errors"

var (
	// ErrRight is returned by Write where the right ends too soon for a write. The task keeps its offsets
	// and tries again at the next flush.
	ErrRight = errors.New("offsets: the right ends before the write could time out")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("offsets: the store is closed")
	// ErrJavaFile is wrapped where offset.storage.file.filename names a file that Java wrote and that
	// cannot be converted.
	ErrJavaFile = errors.New("offsets: a Java-serialised offset file that cannot be read")
	// ErrFile is wrapped where the offset file is neither ours nor Java's.
	ErrFile = errors.New("offsets: not an offset file")
)
