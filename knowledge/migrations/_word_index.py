"""The index that finds chunks by their words: FTS5 on SQLite, GIN on PostgreSQL.

Both hold the terms that words.py made, so that neither database decides what a word is. On SQLite
triggers keep it in step with the table. A later migration that makes SQLite rebuild
`knowledge_chunk` drops them: run `create_index` again after it.
"""

SQLITE = (
    # detail=column: we ask which chunks hold a word, never where in them.
    """
    CREATE VIRTUAL TABLE knowledge_chunk_words USING fts5(
        collection_id, terms, content='knowledge_chunk', content_rowid='id',
        tokenize='ascii', detail=column, columnsize=0
    )
    """,
    # For rows that are there already: without it the delete trigger would take away what was never put in.
    "INSERT INTO knowledge_chunk_words(knowledge_chunk_words) VALUES ('rebuild')",
    """
    CREATE TRIGGER knowledge_chunk_words_insert AFTER INSERT ON knowledge_chunk BEGIN
        INSERT INTO knowledge_chunk_words(rowid, collection_id, terms)
        VALUES (new.id, new.collection_id, new.terms);
    END
    """,
    """
    CREATE TRIGGER knowledge_chunk_words_delete AFTER DELETE ON knowledge_chunk BEGIN
        INSERT INTO knowledge_chunk_words(knowledge_chunk_words, rowid, collection_id, terms)
        VALUES ('delete', old.id, old.collection_id, old.terms);
    END
    """,
    """
    CREATE TRIGGER knowledge_chunk_words_update AFTER UPDATE OF collection_id, terms ON knowledge_chunk BEGIN
        INSERT INTO knowledge_chunk_words(knowledge_chunk_words, rowid, collection_id, terms)
        VALUES ('delete', old.id, old.collection_id, old.terms);
        INSERT INTO knowledge_chunk_words(rowid, collection_id, terms)
        VALUES (new.id, new.collection_id, new.terms);
    END
    """,
)
SQLITE_UNDO = (
    "DROP TRIGGER knowledge_chunk_words_update",
    "DROP TRIGGER knowledge_chunk_words_delete",
    "DROP TRIGGER knowledge_chunk_words_insert",
    "DROP TABLE knowledge_chunk_words",
)
POSTGRESQL = (
    # A function that says what it costs: splitting 200 words is dear, and a planner that takes it for
    # free reads every chunk of a collection instead of the index. (plpgsql: SQL would be inlined.)
    """
    CREATE FUNCTION knowledge_words(terms text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 5000
    AS $$ BEGIN RETURN string_to_array(btrim(terms), '  '); END $$
    """,
    "CREATE INDEX knowledge_chunk_words ON knowledge_chunk USING gin (knowledge_words(terms))",
)
POSTGRESQL_UNDO = ("DROP INDEX knowledge_chunk_words", "DROP FUNCTION knowledge_words(text)")


def create_index(apps, schema_editor):
    _run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def drop_index(apps, schema_editor):
    _run(schema_editor, {"sqlite": SQLITE_UNDO, "postgresql": POSTGRESQL_UNDO})


def _run(schema_editor, statements):
    for statement in statements[schema_editor.connection.vendor]:
        schema_editor.execute(statement, None)
