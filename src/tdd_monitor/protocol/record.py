"""Named tuples that are cheap to define.

`typing.NamedTuple` compiles a constructor for every class: 0.2 ms each, 6 ms for all events, before the
first test of every run. These share one constructor. It takes 1 us longer, which is negligible: the codec
bypasses it on reading, and the plugin writes most lines without records.
"""

from operator import itemgetter
from typing import TYPE_CHECKING

__all__ = ["Record"]

if TYPE_CHECKING:
    from typing import NamedTuple as Record
else:

    class _RecordType(type):
        """Turns annotations into fields, and assigned values into their defaults."""

        def __new__(mcs, name, bases, namespace):
            # Without slots every record would also have a dictionary.
            kind = type.__new__(mcs, name, bases, {**namespace, "__slots__": ()})
            fields = kind._fields = tuple(getattr(kind, "__annotations__", ()))
            kind._field_defaults = {field: namespace[field] for field in fields if field in namespace}
            for index, field in enumerate(fields):
                setattr(kind, field, property(itemgetter(index)))
            return kind

    class Record(tuple, metaclass=_RecordType):
        """Base class with the interface of `typing.NamedTuple`; type checkers treat it as that."""

        def __new__(cls, *values, **named):
            """Raises TypeError for missing, unknown and repeated fields."""
            if named or len(values) != len(cls._fields):
                values = cls._filled(values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _filled(cls, values, named):
            open_fields = cls._fields[len(values) :]
            given = {**cls._field_defaults, **named}
            if len(values) > len(cls._fields) or named.keys() - set(open_fields):
                raise TypeError("%s takes %s" % (cls.__name__, ", ".join(cls._fields)))
            try:
                return (*values, *[given[field] for field in open_fields])
            except KeyError as error:
                raise TypeError("%s needs %s" % (cls.__name__, error)) from None

        def _asdict(self):
            """Field names and values."""
            return dict(zip(self._fields, self))

        def _replace(self, **changes):
            """Return a copy with new values for these fields."""
            return type(self)(**{**self._asdict(), **changes})

        def __getnewargs__(self):
            """For copies."""
            return tuple(self)

        def __repr__(self):
            fields = ["%s=%r" % pair for pair in self._asdict().items()]
            return "%s(%s)" % (type(self).__name__, ", ".join(fields))
