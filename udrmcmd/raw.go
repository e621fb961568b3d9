package udrmcmd

import (
	"encoding"
	"reflect"

	"github.com/alecthomas/kong"
)

// rawMappers decode arguments as they are: words of programs and names of files
// are bytes of any kind. kong's own mappers pass an argument through package
// json, which changes bytes that are not UTF-8.
func rawMappers() (options []kong.Option) {
	raw := kong.MapperFunc(decodeRaw)
	for _, typ := range []reflect.Type{
		reflect.TypeFor[fileName](), reflect.TypeFor[machineName](), reflect.TypeFor[reportFile](), reflect.TypeFor[expectation](),
		reflect.TypeFor[timedAction](), reflect.TypeFor[aimedRule](), reflect.TypeFor[monitorArg](),
	} {
		options = append(options, kong.TypeMapper(typ, raw))
	}
	return append(options, kong.KindMapper(reflect.String, raw))
}

// decodeRaw decodes a value into a string or a TextUnmarshaler.
func decodeRaw(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("value")
	if err != nil {
		return err
	}
	if u, ok := target.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(token.String()))
	}
	target.SetString(token.String())
	return nil
}
