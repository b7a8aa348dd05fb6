"""What all commands do where something goes wrong: say it in words, with the cure."""
import errno
import io
import sys

CURES = {errno.ENOSPC: "The disk is full: make room there, then run this again.",
         errno.EACCES: "Make it writable for this user, then run this again.",
         errno.EPERM: "Make it writable for this user, then run this again.",
         errno.EROFS: "The checkout lies on a disk that cannot be written: copy it elsewhere."}


class WordsError(RuntimeError):
    """Something that a reader can mend: the message says what, and how."""


def in_words(main, argv=None):
    """Run a command's ``main``; returns its exit status, 130 after Ctrl-C.

    What a reader can mend is told in words; anything else is a bug, with its traceback.
    """
    for stream in sys.stdout, sys.stderr:  # a terminal or file that is not UTF-8 loses a sign
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return main(argv)
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is kept: run it again to go on.", file=sys.stderr)
        return 130
    except WordsError as err:
        print(err, file=sys.stderr)
        return 1
    except OSError as err:
        if err.errno not in CURES:
            raise
        print(f"{err.filename or 'Writing'}: {err.strerror}. {CURES[err.errno]}", file=sys.stderr)
        return 1
