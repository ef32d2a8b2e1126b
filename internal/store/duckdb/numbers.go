package duckdb

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"unsafe"

	duck "github.com/duckdb/duckdb-go/v2"

	"github.com/unspoof/unspoof/internal/casefile"
)

// numbersVersion is the version of the functions below: it changes when a text is read otherwise.
const numbersVersion = "numbers-1"

// registerNumbers gives the engine, on all its connections, casefile's functions over text:
// read_e164(raw), read_caller_id(raw) and read_dialled(raw, prefixes, one a line). They give 0
// for what is no number; the macros e164, clid_e164 and dialled_e164 make null of it.
func (e *Engine) registerNumbers(ctx context.Context) error {
	conn, err := e.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	text, err := duck.NewTypeInfo(duck.TYPE_VARCHAR)
	if err != nil {
		return err
	}
	number, err := duck.NewTypeInfo(duck.TYPE_BIGINT)
	if err != nil {
		return err
	}
	one := duck.ScalarFuncConfig{InputTypeInfos: []duck.TypeInfo{text}, ResultTypeInfo: number}
	for name, read := range map[string]func(string) casefile.E164{"read_e164": casefile.ReadE164, "read_caller_id": casefile.ReadCallerID} {
		if err := duck.RegisterScalarUDF(conn, name, numberFunc{one, func(in []duck.VectorView[string], out []int64) error {
			return eachText(in[0], func(row int, raw string) error {
				out[row] = int64(read(raw))
				return nil
			})
		}}); err != nil {
			return err
		}
	}
	two := duck.ScalarFuncConfig{InputTypeInfos: []duck.TypeInfo{text, text}, ResultTypeInfo: number}
	return duck.RegisterScalarUDF(conn, "read_dialled", numberFunc{two, func(in []duck.VectorView[string], out []int64) error {
		var list string
		var prefixes []string
		return eachText(in[0], func(row int, raw string) error {
			given, ok, err := in[1].GetValueBorrowed(row)
			if err != nil || !ok {
				return err
			}
			if given != list { // the same for all rows of a query
				list = strings.Clone(given)
				prefixes = strings.Split(list, "\n")
			}
			out[row] = int64(casefile.ReadDialled(raw, prefixes))
			return nil
		})
	}})
}

// eachText calls f for every row that is not null. The text is the engine's: it may not be
// kept.
func eachText(in duck.VectorView[string], f func(row int, raw string) error) error {
	for row := range in.Len() {
		raw, ok, err := in.GetValueBorrowed(row)
		if err != nil {
			return err
		}
		if ok {
			if err := f(row, raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// numberFunc is a function from texts to a BIGINT, worked out for some thousand rows at a
// time. A null among the texts gives null.
type numberFunc struct {
	config duck.ScalarFuncConfig
	run    func(in []duck.VectorView[string], out []int64) error
}

func (f numberFunc) Config() duck.ScalarFuncConfig { return f.config }

func (f numberFunc) Executor() duck.ScalarFuncExecutor {
	return duck.ScalarFuncExecutor{ChunkContextExecutor: func(_ context.Context, s *duck.ChunkIteratorState) error {
		in := make([]duck.VectorView[string], s.ColumnCount())
		for i := range in {
			v, err := s.GetInputChunk().GetVector(i)
			if err != nil {
				return err
			}
			if in[i], err = duck.GetVectorView[string](v); err != nil {
				return err
			}
		}
		out, err := integers(s.GetResultVector(), in[0].Len())
		if err != nil {
			return err
		}
		return f.run(in, out)
	}}
}

// integers is the memory of a writable BIGINT vector of n rows. The driver (2.10506.0) writes
// numbers through its own interface only one boxed value at a time, which costs more than reading
// the number does (measured: docs/performance.md); its field is found by name, and a driver that has
// it no longer is an error and no wrong number.
func integers(v duck.Vector, n int) ([]int64, error) {
	if vec := reflect.ValueOf(v).FieldByName("v"); vec.Kind() == reflect.Pointer && !vec.IsNil() {
		if data := vec.Elem().FieldByName("dataPtr"); data.Kind() == reflect.UnsafePointer && !data.IsNil() {
			return unsafe.Slice((*int64)(data.UnsafePointer()), n), nil
		}
	}
	return nil, errors.New("this version of the DuckDB driver does not show the memory of its vectors (numbers.go)")
}
