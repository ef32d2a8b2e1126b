package bson

import (
	"fmt"
	"strconv"

	mongo "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/unspoof/unspoof/internal/intake/dump"
	"github.com/unspoof/unspoof/internal/intake/dump/build"
	"github.com/unspoof/unspoof/internal/intake/dump/jsonl"
)

// validate reports what makes a document ill-formed. The library takes a string without its
// closing zero byte for whole.
func validate(doc []byte) error {
	if err := mongo.Raw(doc).Validate(); err != nil {
		return err
	}
	return members(doc, func(key []byte, v mongo.RawValue) error {
		if v.Type == mongo.TypeString && (len(v.Value) < 5 || v.Value[len(v.Value)-1] != 0) {
			return fmt.Errorf("the string %q does not end", key)
		}
		return nil
	})
}

// members gives the members of a valid document.
func members(doc []byte, yield func(key []byte, val mongo.RawValue) error) error {
	list, err := mongo.Raw(doc).Elements()
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := yield([]byte(e.Key()), e.Value()); err != nil {
			return err
		}
	}
	return nil
}

// jsonOf gives a value as canonical Extended JSON.
func jsonOf(v mongo.RawValue) []byte { return []byte(v.String()) }

// valueOf gives the cell of a value.
func valueOf(v mongo.RawValue) build.Value {
	text := func(b []byte, declared string) build.Value {
		return build.Value{Form: dump.Quoted, Kind: dump.Text, Text: b, Declared: declared}
	}
	number := func(s string, k dump.Kind, declared string) build.Value {
		return build.Value{Form: dump.Bare, Kind: k, Text: []byte(s), Declared: declared}
	}
	switch v.Type {
	case mongo.TypeNull, mongo.TypeUndefined:
		return build.Value{}
	case mongo.TypeInt32:
		return number(strconv.FormatInt(int64(v.Int32()), 10), dump.Int, "int")
	case mongo.TypeInt64:
		return number(strconv.FormatInt(v.Int64(), 10), dump.Int, "long")
	case mongo.TypeDouble:
		s := strconv.FormatFloat(v.Double(), 'g', -1, 64)
		for _, c := range []byte(s) {
			if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' { // infinite or no number
				return text([]byte(s), "double")
			}
		}
		return number(s, dump.Float, "double")
	case mongo.TypeDecimal128:
		s := v.Decimal128().String()
		for _, c := range []byte(s) {
			if (c < '0' || c > '9') && c != '.' && c != '-' { // with an exponent, infinite, or no number
				return text([]byte(s), "decimal")
			}
		}
		return number(s, dump.Decimal, "decimal")
	case mongo.TypeString:
		return text(v.Value[4:len(v.Value)-1], "string")
	case mongo.TypeObjectID:
		return text([]byte(v.ObjectID().Hex()), "objectId")
	case mongo.TypeBoolean:
		return build.Value{Form: dump.Bare, Kind: dump.Text, Text: strconv.AppendBool(nil, v.Boolean()), Declared: "bool"}
	case mongo.TypeDateTime:
		if at, ok := jsonl.Time(v.Time()); ok {
			return build.Value{Form: dump.Quoted, Kind: dump.DateTime, Text: at, Declared: "date (UTC)"}
		}
		return build.Value{Form: dump.Expr, Kind: dump.DateTime, Text: jsonOf(v), Declared: "date (UTC)"}
	case mongo.TypeBinary:
		_, data := v.Binary()
		return build.Value{Form: dump.Quoted, Kind: dump.Binary, Text: data, Declared: "binData"}
	case mongo.TypeEmbeddedDocument:
		return text(jsonOf(v), "object")
	case mongo.TypeArray:
		return text(jsonOf(v), "array")
	}
	return text(jsonOf(v), v.Type.String())
}
