"""Runs every statement of a file with psycopg, in text and in binary, and prints all that came back."""

import os
import sys

import psycopg

connection = psycopg.connect(
    host="localhost",
    hostaddr="127.0.0.1",
    port=os.environ["PGPORT"],
    user=os.environ["PGUSER"],
    password=os.environ["PGPASSWORD"],
    dbname=os.environ["PGDATABASE"],
    sslmode="verify-full",
    sslrootcert=os.environ["PGSSLROOTCERT"],
    autocommit=True,
)
connection.add_notice_handler(lambda notice: print("notice:", notice.message_primary, notice.message_detail))
connection.add_notify_handler(lambda told: print("told:", told.payload))


def fields(error):
    names = [name for name in dir(error.diag) if not name.startswith("_")]
    return {name: getattr(error.diag, name) for name in names if isinstance(getattr(error.diag, name), str)}


def run(text, binary):
    with connection.cursor(binary=binary) as cursor:
        if text.startswith("COPY"):
            with cursor.copy(text) as copy:
                print(b"".join(bytes(piece) for piece in copy))
            return
        cursor.execute(text)
        while True:
            if cursor.description:
                print(cursor.fetchall())
            if not cursor.nextset():
                break


for line in open(sys.argv[1], encoding="utf-8"):
    text = line.strip()
    if not text or text.startswith("--"):
        continue
    for binary in (False, True):
        print(("binary " if binary else "text ") + "statement")
        try:
            run(text, binary)
        except psycopg.Error as error:
            print("error:", error, fields(error))
            connection.rollback()
