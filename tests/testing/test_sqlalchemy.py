"""SQLAlchemy inside a context: the code under test commits, nothing stays."""

from typing import Any

import pytest
from sqlalchemy import ForeignKey, String, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker

from tdd_monitor.testing import TDDTestContext, tdd_async_engine, tdd_test_context


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


@pytest.fixture(scope="session")
def tdd_schema() -> Any:
    return Base.metadata.create_all


async def publish(session: AsyncSession, name: str) -> None:
    """Code under test: it commits."""
    session.add(Author(name=name, facts={"born": 1815}, books=[Book(title="Notes")]))
    await session.commit()


@pytest.mark.parametrize("time", [1, 2])
async def test_a_session_may_commit_and_roll_back(tdd_async_session: AsyncSession, time: int) -> None:
    await publish(tdd_async_session, "Ada")
    with pytest.raises(IntegrityError):
        await publish(tdd_async_session, "Ada")
    await tdd_async_session.rollback()
    author = (await tdd_async_session.scalars(select(Author))).one()
    assert (author.name, author.facts) == ("Ada", {"born": 1815})


@pytest.mark.parametrize("time", [1, 2])
async def test_an_application_with_sessions_of_its_own(
    tdd_async_engine: AsyncEngine, tdd_test_context: TDDTestContext, time: int
) -> None:
    make = async_sessionmaker(tdd_async_engine)
    async with make() as session:
        await publish(session, "Ada")
    async with make.begin() as session:
        assert await session.scalar(select(func.count()).select_from(Book)) == 1
    async with tdd_async_engine.begin() as connection:
        await connection.execute(text("UPDATE authors SET name = 'Bob'"))
    # The context sees it all, on the same connection.
    assert await tdd_test_context.connection.fetchval("SELECT name FROM authors") == "Bob"


async def test_the_engine_leaves_no_codec_and_no_new_connection_behind() -> None:
    backends = set()
    for _ in range(3):
        async with tdd_test_context(schema=Base.metadata) as context:
            assert await context.connection.fetchval("SELECT '[1]'::jsonb") == "[1]"
            async with tdd_async_engine().connect() as connection:
                assert await connection.scalar(text("SELECT '[1]'::jsonb")) == [1]
            backends.add(context.connection.get_server_pid())
    assert len(backends) == 1


async def test_outside_of_a_context_the_engine_says_so() -> None:
    with pytest.raises(RuntimeError, match="No tdd_test_context is open here"):
        await tdd_async_engine().connect()


class TestPlain:
    """The same on psycopg."""

    @pytest.fixture(autouse=True)
    def _psycopg(self) -> None:
        pytest.importorskip("psycopg")

    @pytest.mark.parametrize("time", [1, 2])
    def test_a_session_may_commit_and_roll_back(self, tdd_session: Session, time: int) -> None:
        for _ in range(2):
            try:
                tdd_session.add(Author(name="Ada", books=[Book(title="Notes")]))
                tdd_session.commit()
            except IntegrityError:
                tdd_session.rollback()
        assert tdd_session.scalars(select(Author)).one().books[0].title == "Notes"

    @pytest.mark.parametrize("time", [1, 2])
    def test_an_application_with_sessions_of_its_own(self, tdd_engine: Any, time: int) -> None:
        make = sessionmaker(tdd_engine)
        with make.begin() as session:
            session.add(Author(name="Ada"))
        with pytest.raises(IntegrityError), make.begin() as session:
            session.add(Author(name="Ada"))
        with make() as outer, make() as inner:
            assert outer.scalar(select(func.count()).select_from(Author)) == 1
            inner.add(Author(name="Bob"))
            inner.commit()
            outer.commit()
        with tdd_engine.begin() as connection:
            assert connection.scalar(text("SELECT count(*) FROM authors")) == 2
