package converter

import "github.com/sluice-project/sluice/connectors/data"

// JavaClass is the name of the class that Java has for a value.
func JavaClass(s *data.Schema, v data.Value) string {
	if s != nil {
		switch s.Name {
		case data.DecimalName:
			return "java.math.BigDecimal"
		case data.DateName, data.TimeName, data.TimestampName:
			return "java.util.Date"
		}
	}
	switch v.Kind() {
	case data.KindInt8:
		return "java.lang.Byte"
	case data.KindInt16:
		return "java.lang.Short"
	case data.KindInt32:
		return "java.lang.Integer"
	case data.KindInt64:
		return "java.lang.Long"
	case data.KindFloat32:
		return "java.lang.Float"
	case data.KindFloat64:
		return "java.lang.Double"
	case data.KindBool:
		return "java.lang.Boolean"
	case data.KindString:
		return "java.lang.String"
	case data.KindBytes:
		return "[B"
	case data.KindArray:
		return "java.util.ArrayList"
	case data.KindMap:
		return "java.util.HashMap"
	case data.KindStruct:
		return "org.apache.kafka.connect.data.Struct"
	case data.KindDate:
		return "java.util.Date"
	case data.KindDecimal:
		return "java.math.BigDecimal"
	default:
		return "null"
	}
}
