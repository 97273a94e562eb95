package truth

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// keepSQL lets the database keep what compaction deletes, in the same transaction, so that the whole log can be read at
// the end. Appends do not notice.
const keepSQL = `
CREATE SCHEMA kept;
CREATE TABLE kept.batch (LIKE lattice.batch);
CREATE TABLE kept.record (LIKE lattice.record);
CREATE FUNCTION kept.keep_batch() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO kept.batch SELECT * FROM gone; RETURN NULL; END';
CREATE FUNCTION kept.keep_record() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO kept.record SELECT * FROM gone; RETURN NULL; END';
CREATE TRIGGER keep AFTER DELETE ON lattice.batch REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION kept.keep_batch();
CREATE TRIGGER keep AFTER DELETE ON lattice.record REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION kept.keep_record();
`

// Keep prepares a database in which a node has made its tables.
func Keep(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, keepSQL)
	return err
}
