package ledger

import (
	"context"
	"errors"
)

// Hand is one actor at one log: what a command or a background job records with.
type Hand struct {
	Log    *Log
	Reader *Reader
	Actor  string
	Role   string
}

// Record appends an act that was done.
func (h Hand) Record(ctx context.Context, action, object string, details map[string]any) error {
	_, err := h.Log.Append(ctx, Act{Actor: h.Actor, Role: h.Role, Action: action, Object: object, Outcome: Done, Details: details}, nil)
	return err
}

// Said gives the last act of that kind on that object that was done; ok is false when there
// was none.
func (h Hand) Said(ctx context.Context, action, object string) (act Act, ok bool, err error) {
	e, err := h.Reader.Last(ctx, Filter{Action: action, Object: object, Outcome: Done})
	if errors.Is(err, ErrNotFound) {
		return Act{}, false, nil
	}
	if err != nil {
		return Act{}, false, err
	}
	act, err = e.Act()
	return act, err == nil, err
}
