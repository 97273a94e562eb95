package truth

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Read returns the batches from `from` on, with their records, of one snapshot of the default tenant.
func Read(ctx context.Context, conn *pgx.Conn, from int64) (logID []byte, batches []*Batch, err error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, nil, err
	}
	defer tx.Rollback(ctx)
	var logNo int32
	err = tx.QueryRow(ctx, "SELECT log_no, log_id FROM lattice.logs WHERE tenant = 'default'").Scan(&logNo, &logID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	batches, bySeq, err := readHeaders(ctx, tx, logNo, from)
	if err != nil {
		return nil, nil, err
	}
	return logID, batches, readRecords(ctx, tx, logNo, from, bySeq)
}

func readHeaders(ctx context.Context, tx pgx.Tx, logNo int32, from int64) ([]*Batch, map[int64]*Batch, error) {
	rows, err := tx.Query(ctx, `SELECT seq, previous, digest, epoch, incarnation, batch_id, last_revision, record_count,
		committed_at FROM (SELECT * FROM lattice.batch UNION ALL SELECT * FROM kept.batch) b
		WHERE log_no = $1 AND seq >= $2 ORDER BY seq`, logNo, from)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var batches []*Batch
	bySeq := map[int64]*Batch{}
	for rows.Next() {
		b := &Batch{}
		if err := rows.Scan(&b.Seq, &b.Previous, &b.Digest, &b.Epoch, &b.Incarnation, &b.BatchID, &b.LastRevision,
			&b.RecordCount, &b.CommittedAt); err != nil {
			return nil, nil, err
		}
		batches = append(batches, b)
		bySeq[b.Seq] = b
	}
	return batches, bySeq, rows.Err()
}

func readRecords(ctx context.Context, tx pgx.Tx, logNo int32, from int64, bySeq map[int64]*Batch) error {
	rows, err := tx.Query(ctx, `SELECT seq, kind, revision, sub, key, value, create_revision, version, lease, number
		FROM (SELECT * FROM lattice.record UNION ALL SELECT * FROM kept.record) r WHERE log_no = $1 AND seq >= $2 ORDER BY seq, idx`, logNo, from)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var r Record
		if err := rows.Scan(&seq, &r.Kind, &r.Revision, &r.Sub, &r.Key, &r.Value, &r.CreateRevision, &r.Version,
			&r.Lease, &r.Number); err != nil {
			return err
		}
		if b := bySeq[seq]; b != nil {
			b.Records = append(b.Records, r)
		}
	}
	return rows.Err()
}

// Survivor is a key as the view lattice.keys shows it.
type Survivor struct {
	Key, Value                               []byte
	Revision, CreateRevision, Version, Lease int64
}

// ReadKeys returns the view lattice.keys.
func ReadKeys(ctx context.Context, conn *pgx.Conn) ([]Survivor, error) {
	rows, err := conn.Query(ctx, `SELECT key_bytes, value_bytes, revision, create_revision, version, lease
		FROM lattice.keys WHERE tenant = 'default' ORDER BY key_bytes`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Survivor
	for rows.Next() {
		var s Survivor
		if err := rows.Scan(&s.Key, &s.Value, &s.Revision, &s.CreateRevision, &s.Version, &s.Lease); err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, rows.Err()
}
