"""The index that finds people and talks by the words of names, addresses and titles, and by how words begin.

The database keeps it, so that no writer can forget it: on SQLite FTS5 tables with triggers, on PostgreSQL GIN
over an expression. Both fold case and accents. A later migration that makes SQLite rebuild one of these tables
drops its triggers: run `create_index` again after it (a test looks whether they are there).
"""

# Index → table, its key, and the words (NEW is the row).
INDEXES = {
    "crm_contact_words": ("crm_contact", "name || ' ' || company", ("name", "company")),
    "crm_address_words": ("crm_contactaddress", "value", ("value",)),
    "crm_talk_words": ("crm_conversation", "title || ' ' || external_id", ("title", "external_id")),
}


def _of_row(words, columns, row):
    for column in columns:
        words = words.replace(column, f"{row}.{column}")
    return words


def sqlite():
    """`key` is a word too, the row's id, so that a row is found again: its rowid may change with VACUUM."""
    statements = []
    for index, (table, words, columns) in INDEXES.items():
        forget = f"DELETE FROM {index} WHERE rowid IN (SELECT rowid FROM {index} WHERE {index} MATCH 'key:\"' || old.id || '\"')"  # noqa: E501
        note = f"INSERT INTO {index}(key, words) VALUES (new.id, {_of_row(words, columns, 'new')})"
        statements += [
            f"CREATE VIRTUAL TABLE {index} USING fts5(key, words, tokenize='unicode61 remove_diacritics 2', prefix='2 3')",  # noqa: E501
            f"INSERT INTO {index}(key, words) SELECT id, {words} FROM {table}",
            f"CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {note}; END",
            f"CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {forget}; END",
            f"CREATE TRIGGER {index}_update AFTER UPDATE OF {', '.join(columns)} ON {table} BEGIN {forget}; {note}; END",  # noqa: E501
        ]
    return statements


def sqlite_undo():
    triggers = [f"DROP TRIGGER IF EXISTS {index}_{move}" for index in INDEXES for move in MOVES]
    return [*triggers, *(f"DROP TABLE {index}" for index in INDEXES)]


MOVES = ("insert", "delete", "update")

FUNCTIONS = (
    # The words in lower case, without accents and marks, none longer than 64 characters. It calls nothing of ours:
    # while PostgreSQL makes an index it looks for functions in its own catalogue only. It says what it costs, so
    # that the planner takes the index rather than every row.
    r"""
    CREATE FUNCTION crm_words(given text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 5000 AS $$
    BEGIN
        given := lower(regexp_replace(normalize(given, NFKD), U&'[\0300-\036F]', '', 'g'));
        given := regexp_replace(given, U&'[\0001-\0020!-/:-@\005B-`{-\00BF\2000-\206F\3000-\303F]+', ' ', 'g');
        given := btrim(regexp_replace(given, '([^ ]{64})[^ ]+', '\1', 'g'));
        RETURN array_to_tsvector(string_to_array(given, ' '));
    END $$
    """,
    # All the words, each whole or as a beginning. Null, and nothing is found, when there is no word.
    """
    CREATE FUNCTION crm_word_query(given text) RETURNS tsquery
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    BEGIN
        RETURN (SELECT string_agg(quote_literal(lexeme) || ':*', ' & ') FROM unnest(crm_words(given)))::tsquery;
    END $$
    """,
)


def postgresql():
    indexes = [
        f"CREATE INDEX {index} ON {table} USING gin (crm_words({words}))"
        for index, (table, words, _columns) in INDEXES.items()
    ]
    return [*FUNCTIONS, *indexes]


def postgresql_undo():
    functions = ("crm_word_query(text)", "crm_words(text)")
    return [*(f"DROP INDEX {index}" for index in INDEXES), *(f"DROP FUNCTION {one}" for one in functions)]


def create_index(apps, schema_editor):
    _run(schema_editor, {"sqlite": sqlite, "postgresql": postgresql})


def drop_index(apps, schema_editor):
    _run(schema_editor, {"sqlite": sqlite_undo, "postgresql": postgresql_undo})


def _run(schema_editor, statements):
    for statement in statements[schema_editor.connection.vendor]():
        schema_editor.execute(statement, None)
