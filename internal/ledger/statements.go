package ledger

import (
	"context"
	"database/sql"
)

// statementLimit is how many statements are kept prepared; acts use few different ones.
const statementLimit = 128

// statements keeps what is executed on the writer's connection prepared, by its text. It is a querier; whoever
// queries through it must have read one statement's rows before running that statement again.
type statements struct {
	conn   *sql.Conn
	byText map[string]*sql.Stmt
}

func newStatements(conn *sql.Conn) *statements {
	return &statements{conn: conn, byText: make(map[string]*sql.Stmt)}
}

func (s *statements) get(query string) (*sql.Stmt, error) {
	if stmt, ok := s.byText[query]; ok {
		return stmt, nil
	}
	if len(s.byText) >= statementLimit {
		s.close()
	}
	stmt, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	s.byText[query] = stmt
	return stmt, nil
}

func (s *statements) exec(query string, args ...any) (sql.Result, error) {
	stmt, err := s.get(query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(context.Background(), args...)
}

// QueryContext runs a query.
func (s *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.get(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext runs a query for one row.
func (s *statements) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.get(query)
	if err != nil { // the same error, in the form of a row
		return s.conn.QueryRowContext(ctx, query, args...)
	}
	return stmt.QueryRowContext(ctx, args...)
}

// close gives all statements back.
func (s *statements) close() {
	for _, stmt := range s.byText {
		stmt.Close()
	}
	clear(s.byText)
}
