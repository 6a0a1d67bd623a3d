import java.io.*;
import java.math.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.common.config.*;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.converters.*;
import org.apache.kafka.connect.data.*;
import org.apache.kafka.connect.header.*;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.*;
import org.apache.kafka.connect.transforms.*;
import org.apache.kafka.connect.transforms.predicates.*;

/**
 * Runs Kafka Connect's own transforms, predicates and converters over generated records and writes what they answer, one JSON
 * object a line. Everything comes from the seed: the same seed writes the same bytes.
 *
 *   mvn -q -B dependency:copy-dependencies -DoutputDirectory=target/libs
 *   java -Duser.timezone=UTC -cp 'target/libs/*' Oracle.java ../../../connectors 1
 *
 * Converters: a line has "c" the class, "cfg" the config, "g" the number of the instance, which several lines in a row share, and
 * "dir". "from" converts "in", a schema and a value, to bytes: "b", or null. "to" converts "b" to "out", a schema and a
 * value. Either may have "err" instead. Values has "parse" and "string", between a text "x" and schema and value.
 * Values' conversions from type to type: a line has "m" the method, "in" a schema and a value, and "out", a schema and what came
 * of it, or "err". "to" is the schema that convertTo and convertToDecimal were asked for.
 * Transforms and predicates:
 * A line has "c" the class, "cfg" the config, and one of: "def" the definition; "val" the answers of its validation;
 * "cerr" the error of configure(); "in" a record with "out", "drop", "match" or "err". Schemas are a table "s" that
 * numbers point into.
 */
public class Oracle {
    static final Class<?>[] CLASSES = {
        Cast.Key.class, Cast.Value.class, DropHeaders.class, ExtractField.Key.class, ExtractField.Value.class, Filter.class,
        Flatten.Key.class, Flatten.Value.class, HeaderFrom.Key.class, HeaderFrom.Value.class, HoistField.Key.class, HoistField.Value.class,
        InsertField.Key.class, InsertField.Value.class, InsertHeader.class, MaskField.Key.class, MaskField.Value.class, RegexRouter.class,
        ReplaceField.Key.class, ReplaceField.Value.class, SetSchemaMetadata.Key.class, SetSchemaMetadata.Value.class,
        TimestampConverter.Key.class, TimestampConverter.Value.class, TimestampRouter.class, ValueToKey.class,
        HasHeaderKey.class, RecordIsTombstone.class, TopicNameMatches.class};

    static Random rnd;

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.ENGLISH);
        Path dir = Paths.get(args[0]);
        long seed = Long.parseLong(args[1]);
        for (Class<?> c : CLASSES) write(dir.resolve("transform/testdata"), seed, c, Oracle::run);
        for (Class<?> c : CONVERTERS) write(dir.resolve("converter/testdata"), seed, c, Oracle::convert);
        write(dir.resolve("converter/testdata"), seed, Conversions.class, Oracle::conversions);
    }

    interface Run { void run(Class<?> c, Writer out) throws Exception; }

    static void write(Path dir, long seed, Class<?> c, Run run) throws Exception {
        Files.createDirectories(dir);
        rnd = new Random(seed * 1_000_003 + c.getName().hashCode());
        String name = c == Conversions.class ? "Values.convert" : c.getName().substring(c.getName().lastIndexOf('.') + 1).replace('$', '.');
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(bytes) {{ def.setLevel(9); }};
             Writer out = new OutputStreamWriter(zip, StandardCharsets.UTF_8)) {
            run.run(c, out);
        }
        Files.write(dir.resolve(name + ".jsonl.gz"), bytes.toByteArray());
    }

    static void run(Class<?> c, Writer out) throws Exception {
        boolean key = c.getName().endsWith("$Key");
        Object first = c.getDeclaredConstructor().newInstance();
        ConfigDef def = first instanceof Transformation ? ((Transformation<?>) first).config() : ((Predicate<?>) first).config();
        out.write("{\"c\":" + quote(c.getName()) + ",\"def\":" + definition(def) + "}\n");
        for (int i = 0; i < 40; i++) {
            Map<String, String> cfg = config(c.getSimpleName().equals("Key") || c.getSimpleName().equals("Value") ? c.getEnclosingClass() : c);
            spoil(cfg, def);
            StringBuilder b = new StringBuilder();
            for (ConfigValue v : def.validate(cfg)) {
                ConfigDef.ConfigKey k = def.configKeys().get(v.name());
                b.append(b.length() == 0 ? "" : ",").append("[").append(quote(v.name())).append(",")
                    .append(v.value() == null ? "null" : quote(ConfigDef.convertToString(v.value(), k.type)));
                for (String e : v.errorMessages()) b.append(",").append(quote(e));
                b.append("]");
            }
            out.write("{\"c\":" + quote(c.getName()) + ",\"cfg\":" + json(cfg) + ",\"val\":[" + b + "]}\n");
        }
        int n = key ? 260 : 420;
        for (int i = 0; i < n; i++) {
            Map<String, String> cfg = config(c.getSimpleName().equals("Key") || c.getSimpleName().equals("Value") ? c.getEnclosingClass() : c);
            Object o = c.getDeclaredConstructor().newInstance();
            StringBuilder line = new StringBuilder("{\"c\":" + quote(c.getName()) + ",\"cfg\":" + json(cfg));
            try {
                ((org.apache.kafka.common.Configurable) o).configure(cfg);
            } catch (Exception e) {
                out.write(line + ",\"cerr\":" + error(e) + "}\n");
                continue;
            }
            ConnectRecord<?> in = record(c, key);
            Schemas s = new Schemas();
            line.append(",\"in\":").append(write(in, s));
            try {
                if (o instanceof Predicate) {
                    line.append(",\"match\":").append(test((Predicate<?>) o, in));
                } else {
                    ConnectRecord<?> to = apply((Transformation<?>) o, in);
                    line.append(to == null ? ",\"drop\":true" : ",\"out\":" + write(to, s));
                }
            } catch (Exception e) {
                line.append(",\"err\":").append(error(e));
            }
            out.write(line + ",\"s\":" + s + "}\n");
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static ConnectRecord<?> apply(Transformation t, ConnectRecord r) { return t.apply(r); }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static boolean test(Predicate p, ConnectRecord r) { return p.test(r); }

    // ---- converters

    static final Class<?>[] CONVERTERS = {JsonConverter.class, StringConverter.class, ByteArrayConverter.class, BooleanConverter.class, ShortConverter.class,
        IntegerConverter.class, LongConverter.class, FloatConverter.class, DoubleConverter.class, SimpleHeaderConverter.class, Values.class};

    static void convert(Class<?> c, Writer out) throws Exception {
        int n = c == JsonConverter.class ? 1600 : c == SimpleHeaderConverter.class || c == Values.class || c == StringConverter.class ? 700 : 300;
        Object o = null;
        Map<String, String> cfg = null;
        for (int i = 0; i < n; i++) {
            if (i % 5 == 0) { // five in a row share an instance, and so its caches
                o = c == Values.class ? null : c.getDeclaredConstructor().newInstance();
                cfg = converterConfig(c);
                if (o instanceof Converter) ((Converter) o).configure(cfg, rnd.nextBoolean());
                else if (o != null) ((HeaderConverter) o).configure(cfg);
            }
            boolean from = rnd.nextBoolean();
            StringBuilder line = new StringBuilder("{\"c\":" + quote(c.getName()) + ",\"cfg\":" + json(cfg) + ",\"g\":" + i / 5);
            Schemas s = new Schemas();
            if (from) {
                SchemaAndValue in = input(c);
                if (shapeless(in.value()) && c == StringConverter.class) in = new SchemaAndValue(in.schema(), null);
                line.append(",\"dir\":").append(c == Values.class ? "\"string\"" : "\"from\"").append(",\"in\":[").append(write(in.schema(), in.value(), s)).append("]");
                try {
                    if (c == Values.class) {
                        String text = Values.convertToString(in.schema(), in.value());
                        line.append(",\"x\":").append(text == null ? "null" : quote(text));
                    } else {
                        byte[] b = o instanceof Converter ? ((Converter) o).fromConnectData("t", in.schema(), in.value()) : ((HeaderConverter) o).fromConnectHeader("t", "h", in.schema(), in.value());
                        line.append(",\"b\":").append(base64(b));
                    }
                } catch (Exception e) {
                    line.append(",\"err\":").append(error(e));
                }
            } else {
                byte[] b = bytes(c, cfg);
                if (c == Values.class) line.append(",\"dir\":\"parse\",\"x\":").append(quote(new String(b, StandardCharsets.UTF_8)));
                else line.append(",\"dir\":\"to\",\"b\":").append(base64(b));
                try {
                    SchemaAndValue got = c == Values.class ? Values.parseString(new String(b, StandardCharsets.UTF_8))
                        : o instanceof Converter ? ((Converter) o).toConnectData("t", b) : ((HeaderConverter) o).toConnectHeader("t", "h", b);
                    String text = got == null ? "null,null" : write(got.schema(), got.value(), s);
                    line.append(",\"out\":[").append(text).append("]");
                } catch (Exception e) {
                    line.append(",\"err\":").append(error(e));
                }
            }
            out.write(line + ",\"s\":" + s + "}\n");
        }
    }

    /** Values, with what only its own may call. */
    static class Conversions extends Values {
        static Object to(Schema to, Schema from, Object v) { return convertTo(to, from, v); }
    }

    interface Conversion { Object of(Schema from, Object v); }

    static final Map<String, Conversion> METHODS = new LinkedHashMap<>();
    static {
        METHODS.put("convertToBoolean", Values::convertToBoolean);
        METHODS.put("convertToByte", Values::convertToByte);
        METHODS.put("convertToShort", Values::convertToShort);
        METHODS.put("convertToInteger", Values::convertToInteger);
        METHODS.put("convertToLong", Values::convertToLong);
        METHODS.put("convertToFloat", Values::convertToFloat);
        METHODS.put("convertToDouble", Values::convertToDouble);
        METHODS.put("convertToString", Values::convertToString);
        METHODS.put("convertToList", Values::convertToList);
        METHODS.put("convertToMap", Values::convertToMap);
        METHODS.put("convertToStruct", Values::convertToStruct);
        METHODS.put("convertToTime", Values::convertToTime);
        METHODS.put("convertToDate", Values::convertToDate);
        METHODS.put("convertToTimestamp", Values::convertToTimestamp);
        METHODS.put("convertToDecimal", null);
        METHODS.put("convertTo", null);
        METHODS.put("inferSchema", (s, v) -> Values.inferSchema(v));
    }

    static void conversions(Class<?> c, Writer out) throws Exception {
        for (Map.Entry<String, Conversion> m : METHODS.entrySet()) {
            String name = m.getKey();
            for (int i = 0; i < 300; i++) {
                SchemaAndValue in = converted(name);
                Schema schema = name.equals("inferSchema") ? null : in.schema(); // it does not look at one
                Object v = in.value();
                Schema to = name.equals("convertToDecimal") ? Decimal.schema(any(new Integer[] {0, 1, 2, 3, 7, -2})) : name.equals("convertTo") ? schema(1, false) : null;
                Schemas s = new Schemas();
                StringBuilder line = new StringBuilder("{\"c\":" + quote(Values.class.getName()) + ",\"m\":" + quote(name) + ",\"in\":[" + write(schema, v, s) + "]");
                if (to != null) line.append(",\"to\":").append(s.of(to));
                try {
                    Object got = name.equals("convertTo") ? Conversions.to(to, schema, v) : name.equals("convertToDecimal") ? Values.convertToDecimal(schema, v, Integer.parseInt(to.parameters().get("scale")))
                        : m.getValue().of(schema, v);
                    Schema as = name.equals("convertToTime") ? Time.SCHEMA : name.equals("convertToDate") ? org.apache.kafka.connect.data.Date.SCHEMA
                        : name.equals("convertToTimestamp") ? Timestamp.SCHEMA : got instanceof List || got instanceof Map ? got == v ? schema : null : to;
                    if (name.equals("inferSchema")) line.append(",\"out\":[").append(got == null ? "null" : "" + s.of((Schema) got)).append(",null]");
                    else line.append(",\"out\":[").append(write(as, got, s)).append("]");
                } catch (Exception e) {
                    line.append(",\"err\":").append(error(e));
                }
                out.write(line + ",\"s\":" + s + "}\n");
            }
        }
    }

    /** What is to be converted: what a method can take, mostly. */
    static SchemaAndValue converted(String method) {
        if (rnd.nextInt(20) == 0) return new SchemaAndValue(rnd.nextBoolean() ? null : schema(1, false), null);
        boolean list = method.equals("convertToList"), map = method.equals("convertToMap"), struct = method.equals("convertToStruct");
        boolean time = method.equals("convertToTime") || method.equals("convertToDate") || method.equals("convertToTimestamp");
        if ((list || map || struct || method.equals("inferSchema")) && rnd.nextInt(3) == 0) {
            if (rnd.nextInt(3) == 0) return new SchemaAndValue(null, list ? any(new Object[] {Arrays.asList(1, "x", null), Arrays.asList(plain(1), plain(1)), Collections.emptyList()}) : map(2, false));
            Schema s = list ? SchemaBuilder.array(schema(1, false)).build() : map ? SchemaBuilder.map(Schema.STRING_SCHEMA, schema(1, false)).build() : struct(2, false).build();
            return new SchemaAndValue(s, value(s, 2));
        }
        switch (rnd.nextInt(8)) {
            case 0: return new SchemaAndValue(rnd.nextBoolean() ? null : rnd.nextBoolean() ? Schema.STRING_SCHEMA : primitive(), mutate(any(LITERALS), LITERALS));
            case 1: return new SchemaAndValue(null, plain(2));
            case 2: return input(Values.class);
            case 3: if (time) { java.util.Date d = new java.util.Date(rnd.nextInt(4) == 0 ? 86400000L * rnd.nextInt(30000) : moment()); return new SchemaAndValue(rnd.nextBoolean() ? null : Timestamp.SCHEMA, d); }
            case 4: if (time) { Schema s = finish(rnd.nextInt(3) == 0 ? Timestamp.builder() : rnd.nextBoolean() ? Time.builder() : org.apache.kafka.connect.data.Date.builder()); return new SchemaAndValue(s, value(s, 0)); }
            case 5: return new SchemaAndValue(rnd.nextBoolean() ? null : Schema.STRING_SCHEMA, any(list || map || rnd.nextInt(3) > 0 ? LITERALS : TIMES));
            default: { Schema s = primitive(); return new SchemaAndValue(rnd.nextInt(3) == 0 ? null : s, value(s, 0)); }
        }
    }

    static String base64(byte[] b) { return b == null ? "null" : "\"" + Base64.getEncoder().encodeToString(b) + "\""; }

    /** Whether there is an array of bytes in it, whose text is an address. */
    static boolean shapeless(Object v) {
        if (v instanceof byte[]) return true;
        if (v instanceof List) return ((List<?>) v).stream().anyMatch(Oracle::shapeless);
        if (v instanceof Map) return ((Map<?, ?>) v).values().stream().anyMatch(Oracle::shapeless);
        if (v instanceof Struct) return ((Struct) v).schema().fields().stream().anyMatch(f -> shapeless(((Struct) v).get(f)));
        return false;
    }

    static Map<String, String> converterConfig(Class<?> c) {
        Map<String, String> m = new TreeMap<>();
        if (c == SimpleHeaderConverter.class || c == Values.class) return m;
        m.put("converter.type", any(new String[] {"key", "value", "header"}));
        if (c == StringConverter.class && rnd.nextBoolean()) m.put("converter.encoding", any(new String[] {"UTF-8", "UTF8"}));
        if (c != JsonConverter.class) return m;
        if (rnd.nextInt(3) > 0) m.put("schemas.enable", any(new String[] {"true", "false", "false"}));
        if (rnd.nextInt(2) == 0) m.put("decimal.format", any(new String[] {"BASE64", "NUMERIC", "numeric"}));
        if (rnd.nextInt(2) == 0) m.put("replace.null.with.default", any(new String[] {"true", "false"}));
        if (rnd.nextInt(4) == 0) m.put("schemas.cache.size", any(new String[] {"1", "2", "1000"}));
        if (rnd.nextInt(8) == 0) m.put("schema.content", any(new String[] {"{\"type\":\"int8\"}", "{\"type\":\"string\",\"optional\":true}",
            "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"field\":\"a\"},{\"type\":\"string\",\"optional\":true,\"field\":\"b\"}]}",
            "{\"type\":\"array\",\"items\":{\"type\":\"double\"}}", "null"}));
        return m;
    }

    /** A schema and a value for it, for another, or for none. */
    static SchemaAndValue input(Class<?> c) {
        if (rnd.nextInt(12) == 0) return new SchemaAndValue(rnd.nextBoolean() ? null : schema(1, false), null);
        if (rnd.nextInt(15) == 0) {
            Schema d = finish(Decimal.builder(any(new Integer[] {-3, 7, 8, 12})));
            return new SchemaAndValue(d, scalar(d));
        }
        Schema own = c == BooleanConverter.class ? Schema.BOOLEAN_SCHEMA : c == ShortConverter.class ? Schema.INT16_SCHEMA : c == IntegerConverter.class ? Schema.INT32_SCHEMA
            : c == LongConverter.class ? Schema.INT64_SCHEMA : c == FloatConverter.class ? Schema.FLOAT32_SCHEMA : c == DoubleConverter.class ? Schema.FLOAT64_SCHEMA
            : c == ByteArrayConverter.class ? Schema.BYTES_SCHEMA : null;
        if (own != null && rnd.nextInt(3) > 0) return new SchemaAndValue(rnd.nextInt(3) == 0 ? null : rnd.nextInt(6) == 0 ? primitive() : own, scalar(own));
        Schema s = rnd.nextInt(3) == 0 ? primitive() : schema(2, false);
        Object v = value(rnd.nextInt(8) == 0 ? primitive() : s, 2);
        if (rnd.nextInt(3) == 0) return new SchemaAndValue(null, rnd.nextBoolean() ? plain(2) : v);
        return new SchemaAndValue(s, v);
    }

    static final String[] DOCUMENTS = {"", " ", "{", "}", "[", "nul", "null", "true", " false ", "[1,]", "{\"a\":1,}", "{'a':1}", "{a:1}", "// c\n1", "/* c */1", "NaN", "-Infinity", "01", "-01", "-", "1.", ".5", "+1", "1e", "1e5", "1E+2", "-0",
        "-0.0", "1e400", "1e-400", "123456789012345678901234567890", "0.1234567890123456789012345", "\"\\u00e9\"", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\"\\uDE00x\"", "\"a\tb\"", "\"a\\tb\"", "\"\\x\"", "\"\\/\"", "{\"a\":1,\"a\":2}",
        "1 2", "[1] x", "tru", "\uFEFF1", "\uFEFF{\"a\":1}", "{\"schema\":null,\"payload\":{\"a\":[1,2.5,\"x\",null,true]}}", "{\"payload\":1}", "{\"schema\":{\"type\":\"int8\"},\"payload\":300}", "{\"schema\":{\"type\":\"int8\"},\"payload\":1,\"more\":1}",
        "{\"payload\":5,\"schema\":{\"type\":\"int32\",\"optional\":true}}", "{\"schema\":{\"type\":\"nope\"},\"payload\":1}", "{\"schema\":{},\"payload\":1}", "{\"schema\":1,\"payload\":1}", "{\"schema\":{\"type\":\"array\"},\"payload\":[]}",
        "{\"schema\":{\"type\":\"map\",\"keys\":{\"type\":\"int8\"},\"values\":{\"type\":\"string\"}},\"payload\":[[1,\"a\"],[2]]}", "{\"schema\":{\"type\":\"map\",\"keys\":{\"type\":\"int8\"},\"values\":{\"type\":\"string\"}},\"payload\":{\"1\":\"a\"}}",
        "{\"schema\":{\"type\":\"struct\",\"fields\":{}},\"payload\":{}}", "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int8\"}]},\"payload\":{}}", "{\"schema\":{\"type\":\"int8\",\"version\":\"1\"},\"payload\":1}",
        "{\"schema\":{\"type\":\"int8\",\"parameters\":{\"a\":1}},\"payload\":1}", "{\"schema\":{\"type\":\"string\",\"default\":1},\"payload\":\"x\"}", "{\"schema\":{\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1,\"parameters\":{\"scale\":\"2\"}},\"payload\":1.25}",
        "{\"schema\":{\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1},\"payload\":\"AQ==\"}", "{\"schema\":{\"type\":\"int64\",\"name\":\"org.apache.kafka.connect.data.Timestamp\",\"version\":1},\"payload\":1.5}",
        "{\"schema\":{\"type\":\"string\",\"name\":\"org.apache.kafka.connect.data.Date\"},\"payload\":5}", "[[[[[[]]]]]]", "{\"a\":{\"b\":{\"c\":[]}}}", "\"\u00e9\u4e16\ud83d\ude00\"", "{\"\u00e9\":1}", "[1,2", "\"abc", "\"a\u0000b\""};
    static final String[] TOKENS = {"1", "-1", "300", "-129", "70000", "5000000000", "12345678901234567890", "1e3", "1.5", "1.0", "-0", "1e400", "true", "false", "null", "\"x\"", "\"\"", "\"AQ==\"", "\"AQ\"", "\"A Q = =\"", "\"-_8=\"", "\"NaN\"",
        "\"1\"", "{}", "[]", "[1,2]", "[[1,2]]", "\"int8\"", "\"struct\"", "\"bytes\"", "\"optional\"", "\"default\"", "\"org.apache.kafka.connect.data.Date\"", "\"org.apache.kafka.connect.data.Decimal\""};
    static final java.util.regex.Pattern TOKEN = java.util.regex.Pattern.compile("\"[^\"]*\"|-?[0-9][0-9.eE+-]*|true|false|null");

    static byte[] bytes(Class<?> c, Map<String, String> cfg) throws Exception {
        if (rnd.nextInt(25) == 0 && c != Values.class) return null;
        if (c == SimpleHeaderConverter.class || c == Values.class || c == StringConverter.class) {
            if (rnd.nextInt(30) == 0) return new byte[] {'a', (byte) 0xff, (byte) 0xc3, 'b', (byte) 0xe2, (byte) 0x82};
            String s = rnd.nextInt(4) == 0 ? text() : any(LITERALS);
            if (rnd.nextInt(3) == 0) { SchemaAndValue v = input(c); if (v.value() != null) s = Values.convertToString(v.schema(), v.value()); }
            return mutate(s, LITERALS).getBytes(StandardCharsets.UTF_8);
        }
        if (c != JsonConverter.class) {
            byte[] b = new byte[rnd.nextInt(3) == 0 ? rnd.nextInt(10) : any(new Integer[] {1, 2, 4, 8})];
            rnd.nextBytes(b);
            if (b.length == 1) b[0] = (byte) rnd.nextInt(3);
            return b;
        }
        if (rnd.nextInt(4) == 0) {
            String doc = any(DOCUMENTS);
            switch (rnd.nextInt(50)) {
                case 0: return new byte[] {'"', 'a', (byte) 0xff, '"'};
                case 1: return doc.getBytes(StandardCharsets.UTF_16BE);
                case 3: return doc.getBytes(StandardCharsets.UTF_16LE);
                case 4: return ("\uFEFF" + doc).getBytes(rnd.nextBoolean() ? StandardCharsets.UTF_16BE : StandardCharsets.UTF_16LE);
                case 5: return doc.getBytes(rnd.nextBoolean() ? "UTF-32BE" : "UTF-32LE");
                case 6: return ("\uFEFF" + doc).getBytes(rnd.nextBoolean() ? "UTF-32BE" : "UTF-32LE");
                case 7: { byte[] b = new byte[rnd.nextInt(7)]; for (int i = 0; i < b.length; i++) b[i] = any(new Byte[] {0, (byte) 0xfe, (byte) 0xff, '1', '"', (byte) 0xef, (byte) 0xbb, (byte) 0xbf}); return b; }
                case 2: return ("[".repeat(1200) + "]".repeat(1200)).getBytes(StandardCharsets.UTF_8);
                default: return doc.getBytes(StandardCharsets.UTF_8);
            }
        }
        JsonConverter w = new JsonConverter();
        Map<String, String> own = new HashMap<>(cfg);
        if (rnd.nextInt(6) == 0) own.put("schemas.enable", "" + !own.getOrDefault("schemas.enable", "true").equals("true"));
        w.configure(own, false);
        for (;;) {
            SchemaAndValue in = input(c);
            try {
                byte[] b = w.fromConnectData("t", in.schema(), in.value());
                if (b == null) continue;
                String s = new String(b, StandardCharsets.UTF_8);
                for (int i = rnd.nextInt(3); i > 0; i--) {
                    List<int[]> at = new ArrayList<>();
                    for (java.util.regex.Matcher m = TOKEN.matcher(s); m.find();) at.add(new int[] {m.start(), m.end()});
                    if (at.isEmpty()) break;
                    int[] x = at.get(rnd.nextInt(at.size()));
                    s = s.substring(0, x[0]) + any(TOKENS) + s.substring(x[1]);
                }
                if (rnd.nextInt(8) == 0) s = mutate(s, TOKENS);
                return s.getBytes(StandardCharsets.UTF_8);
            } catch (Exception e) {
                continue;
            }
        }
    }

    /** A text as it is, mostly, or with something taken out or put in. */
    static String mutate(String s, String[] from) {
        int at = rnd.nextInt(s.length() + 1);
        switch (rnd.nextInt(6)) {
            case 0: return s.substring(0, at);
            case 1: return s.substring(0, at) + any(from) + s.substring(at);
            case 2: return at == s.length() ? s : s.substring(0, at) + s.substring(at + 1);
            default: return s;
        }
    }

    // ---- configs

    static final String[] FIELDS = {"a", "b", "c", "d", "e", "ts", "a.b", "x`y"};
    static final String[] TYPES = {"int8", "int16", "INT32", "int64", "float32", "float64", "boolean", "string", "String"};
    static final String[] FORMATS = {"yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "yyyyMMddHHmmss", "yyyy-MM-dd HH:mm:ss", "dd/MM/yy", "EEE, d MMM yyyy HH:mm:ss z",
        "MMM d, yyyy h:mm a", "yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-dd'T'HH:mm:ssX", "G yyyy DDD", "kk:mm 'o''clock'", "K:m:s.S a", "EEEE MMMM yyyy", "yyyy", "S", "yyMMdd", "u E L", "HH'h'mm"};
    static final String[] TIMES = {"2024-02-29", "2024-02-29T13:05:09.007+0000", "20240229130509", "2024-02-29 13:05:09", "29/02/24", "01/12/99", "Thu, 29 Feb 2024 13:05:09 UTC",
        "Thu, 29 Feb 2024 13:05:09 GMT+02:30", "Feb 29, 2024 1:05 pm", "feb 29, 2024 12:05 AM", "2024-02-29T13:05:09+02:00", "2024-02-29T13:05:09Z", "2024-02-29T13:05:09-0830", "AD 2024 060", "BC 0044 75",
        "24:10 o'clock", "0:5:59.9 PM", "Thursday February 2024", "1969", "-5", "240229", "99", "2024-13-45", "1582-10-10", "1582-10-15", "0001-01-01", "12345-06-07", "  2024-02-29", "2024-02-29 and", "x", "", "7 Sunday Mar", "23h59", "25:61"};
    static final String[] REGEXES = {"(.*)", "t-(.*)", "([a-z]+)\\.(\\d+)", "(?<n>\\w+)-(.*)", "a|ab", "(?!internal)[a-z.]+", ".*(?<=x)", "(\\w)\\1.*", "[a-z&&[^m-p]]+", "(?i)ORDERS", "\\Qa.b\\E", "t{1,2}-.*", "^topic$", "(a)(b)?.*", "a*+b", "\\p{Alpha}+", "()", "[\\w.-]*"};
    static final String[] REPLACEMENTS = {"x-$1", "$1", "$2-$1", "${n}", "$0$0", "\\$1", "plain", "$9", "$", "\\", "${", "$12", "a\\\\b", "${x1}", ""};
    static final String[] TOPICS = {"t", "t-orders", "topic", "ab", "a.b", "a", "orders.12", "internal.x", "my-topic", "Orders", "aab", "ttt-x", "a_b-c", "x"};
    static final String[] LITERALS = {"x", "1", "300", "-70000", "5000000000", "12345678901234567890", "1.5", "5.0", "1e3", "1e40", "1e400", "0.1", "-0", "+7", "1e-400", "3.4028235e38", "3.5e38", "true", "false", "TRUE", "null", " true ", "nulls",
        "2024-02-29", "2024-13-45", "10:20:30.400Z", "2024-02-29T10:20:30.400Z", "2024-02-29T10\\:20\\:30.400Z", "10:20", "1:2", "1 2", "12abc", "0x10", "NaN", "Infinity", "\"quoted\"", "[1,2,300]", "[1,2.5]", "[1,\"a\"]", "[]", "[1,null]", "[null,null]", "[1,,2]", "[1,2,",
        "[a]", "[1,2] tail", "{\"a\":1,\"b\":2.5}", "{}", "{\"a\":null}", "{\"a\":1,\"b\":null}", "{1:2,}", "{1:2,3:4}", "{a:1}", "[[1],[2,3]]", "[\"2024-02-29\"]", "[2024-02-29,2024-03-01]", "[true,false]", "[\"a\\\"b\"]", "{\"k\":[1,{\"x\":\"y\"}]}", "a:b", "a,b", "{", "}", "[", ":", "-", "+", ".5", "5.", "1_000",
        "[1,100000,3000000000]", "[1.5,1e300]", "[\"x\" , \"y\"]", "{ \"a\" : [ ] }", "{\"a\":\"b\"}x", "[\"2024-02-29\",\"x\"]", "99:99:99.999Z", "{\"x\":1,\"x\":2}", "é", "\\", "\\:", "[\\,]"};

    static <T> T any(T[] a) { return a[rnd.nextInt(a.length)]; }

    static String some(String[] from, int max) {
        Set<String> s = new LinkedHashSet<>();
        for (int i = 1 + rnd.nextInt(max); i > 0; i--) s.add(any(from));
        return String.join(",", s);
    }

    static Map<String, String> config(Class<?> c) {
        Map<String, String> m = new TreeMap<>();
        String name = c.getSimpleName();
        switch (name) {
            case "Cast":
                if (rnd.nextInt(3) == 0) m.put("spec", any(TYPES));
                else {
                    Map<String, String> f = new LinkedHashMap<>();
                    for (int i = 1 + rnd.nextInt(4); i > 0; i--) f.put(any(FIELDS), any(TYPES));
                    StringBuilder b = new StringBuilder();
                    f.forEach((k, v) -> b.append(b.length() == 0 ? "" : ",").append(k).append(":").append(v));
                    m.put("spec", b.toString());
                }
                break;
            case "DropHeaders": m.put("headers", some(new String[] {"h1", "h2", "h3", "h4"}, 3)); break;
            case "ExtractField":
                m.put("field", any(new String[] {"a", "b", "c", "a.b", "a.b.c", "`a.b`.c", "c.a", "ts", "`x\\`.y`.a", "x`y", "b.`a.b`", "a.", "`a", "e.d"}));
                if (rnd.nextInt(2) == 0) m.put("field.syntax.version", any(new String[] {"V1", "V2", "v2"}));
                break;
            case "Flatten": if (rnd.nextInt(2) == 0) m.put("delimiter", any(new String[] {"_", "", ".", "::"})); break;
            case "HeaderFrom": {
                String f = some(FIELDS, 3);
                StringBuilder h = new StringBuilder();
                for (int i = f.split(",").length; i > 0; i--) h.append(h.length() == 0 ? "" : ",").append(any(new String[] {"h1", "h2", "new"}));
                m.put("fields", f);
                m.put("headers", rnd.nextInt(20) == 0 ? "h" : h.toString());
                m.put("operation", any(new String[] {"move", "copy"}));
                break;
            }
            case "HoistField": m.put("field", any(new String[] {"a", "line", "x.y", ""})); break;
            case "InsertField":
                for (String k : new String[] {"topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"})
                    if (rnd.nextInt(k.equals("offset.field") ? 5 : 3) == 0) m.put(k, any(new String[] {"new", "t", "p", "a", "ts"}) + any(new String[] {"", "", "!", "?"}));
                if (rnd.nextInt(8) > 0) m.put("static.value", any(new String[] {"x", "", "1"}));
                break;
            case "InsertHeader": m.put("header", any(new String[] {"h1", "new", ""})); m.put("value.literal", any(LITERALS)); break;
            case "MaskField":
                m.put("fields", some(FIELDS, 4));
                if (rnd.nextInt(3) == 0) m.put("replacement", any(new String[] {"x", "1", "300", "1.5", "-7", "1e3", "99999999999"}));
                break;
            case "RegexRouter": m.put("regex", any(REGEXES)); m.put("replacement", any(REPLACEMENTS)); break;
            case "ReplaceField":
                if (rnd.nextInt(2) == 0) m.put("exclude", some(FIELDS, 3));
                if (rnd.nextInt(3) == 0) m.put("include", some(FIELDS, 4));
                if (rnd.nextInt(2) == 0) {
                    Map<String, String> f = new LinkedHashMap<>();
                    Set<String> to = new HashSet<>();
                    for (int i = 1 + rnd.nextInt(2); i > 0; i--) { String t = any(new String[] {"n1", "n2", "b", "c"}); if (to.add(t)) f.putIfAbsent(any(FIELDS), t); }
                    StringBuilder b = new StringBuilder();
                    f.forEach((k, v) -> b.append(b.length() == 0 ? "" : ",").append(k).append(":").append(v));
                    m.put("renames", b.toString());
                }
                break;
            case "SetSchemaMetadata":
                if (rnd.nextInt(3) > 0) m.put("schema.name", any(new String[] {"order", "x.Y"}));
                if (rnd.nextInt(2) == 0) m.put("schema.version", any(new String[] {"1", "7"}));
                break;
            case "TimestampConverter":
                if (rnd.nextInt(3) > 0) m.put("field", any(new String[] {"ts", "a", "b", "c"}));
                m.put("target.type", any(new String[] {"string", "unix", "Date", "Time", "Timestamp"}));
                if (rnd.nextInt(6) > 0) m.put("format", any(FORMATS));
                if (rnd.nextInt(2) == 0) m.put("unix.precision", any(new String[] {"seconds", "milliseconds", "microseconds", "nanoseconds"}));
                break;
            case "TimestampRouter":
                if (rnd.nextInt(2) == 0) m.put("topic.format", any(new String[] {"${topic}_${timestamp}", "x", "${timestamp}.${topic}", "${topic}${topic}"}));
                if (rnd.nextInt(3) > 0) m.put("timestamp.format", rnd.nextInt(4) == 0 ? any(new String[] {"YYYY-ww", "yyyy W F", "bad", "'open"}) : any(FORMATS));
                break;
            case "ValueToKey": m.put("fields", some(FIELDS, 3)); break;
            case "HasHeaderKey": m.put("name", any(new String[] {"h1", "h2", "none"})); break;
            case "TopicNameMatches": m.put("pattern", any(REGEXES)); break;
            default:
        }
        if (rnd.nextInt(3) == 0) m.put("replace.null.with.default", rnd.nextInt(4) == 0 ? "TRUE" : "false");
        return m;
    }

    /** Takes keys away and puts nonsense in: what validation has to say something about. */
    static void spoil(Map<String, String> cfg, ConfigDef def) {
        for (String k : def.configKeys().keySet()) {
            switch (rnd.nextInt(5)) {
                case 0: cfg.remove(k); break;
                case 1: cfg.put(k, any(new String[] {"", " ", "x", "a,a", "a,,b", "a:b:c", "a:int8,b", "bytes", "a:", "(", "[a", "*", "2", "-1", "maybe", "V3", "copy", " a , b ", "99999999999", "int8,int16", "a:nope", ":b", "x)"})); break;
                default:
            }
        }
    }

    // ---- records

    static final String[] NAMES = {"a", "b", "c", "d", "e", "ts", "a.b", "x`y"};

    static ConnectRecord<?> record(Class<?> c, boolean key) {
        boolean times = c.getName().contains("TimestampConverter");
        SchemaAndValue k = side(key ? 0.9 : 0.3, times && key), v = side(key ? 0.3 : 0.9, times && !key);
        ConnectHeaders h = new ConnectHeaders();
        for (int i = rnd.nextInt(4); i > 0; i--) {
            Schema s = rnd.nextInt(4) == 0 ? null : primitive();
            h.add(any(new String[] {"h1", "h2", "h3"}), s == null ? plain(1) : value(s, 1), s);
        }
        Integer partition = rnd.nextInt(3) == 0 ? null : rnd.nextInt(10);
        Long ts = rnd.nextInt(5) == 0 ? null : moment() & Long.MAX_VALUE;
        String topic = any(TOPICS);
        if (rnd.nextInt(3) == 0) return new SourceRecord(null, null, topic, partition, k.schema(), k.value(), v.schema(), v.value(), ts, h);
        return new SinkRecord(topic, partition == null ? 0 : partition, k.schema(), k.value(), v.schema(), v.value(), rnd.nextInt(1000), ts,
            org.apache.kafka.common.record.TimestampType.CREATE_TIME, h);
    }

    static long moment() {
        switch (rnd.nextInt(6)) {
            case 0: return 0;
            case 1: return rnd.nextInt(86400000);
            case 2: return 86400000L * rnd.nextInt(40000);
            case 3: return -rnd.nextInt(2000000000) * 1000L;
            default: return 1000000000000L + (rnd.nextLong() & 0xFFFFFFFFFFL);
        }
    }

    /** The key or the value: a struct or map mostly, with or without a schema, null, or of a wrong type. */
    static SchemaAndValue side(double full, boolean times) {
        if (rnd.nextDouble() > full) return rnd.nextBoolean() ? new SchemaAndValue(null, null) : new SchemaAndValue(Schema.OPTIONAL_STRING_SCHEMA, rnd.nextBoolean() ? null : "v");
        switch (rnd.nextInt(20)) {
            case 0: return new SchemaAndValue(null, null);
            case 1: return new SchemaAndValue(struct(1, times).optional().build(), null);
            case 2: case 3: { Schema s = times ? time() : primitive(); return new SchemaAndValue(s, value(s, 2)); }
            case 4: { Schema s = schema(2, times); return new SchemaAndValue(s, value(s, 2)); }
            case 5: return new SchemaAndValue(null, times ? stamp() : plain(2));
            case 6: case 7: case 8: case 9: case 10: case 11: return new SchemaAndValue(null, map(2, times));
            default: {
                SchemaBuilder b = struct(2, times);
                if (rnd.nextInt(4) == 0) b.optional();
                Schema s = b.build();
                if (rnd.nextInt(5) == 0) {
                    Object d = value(s, 2);
                    if (d != null) s = copy(s, d);
                }
                return new SchemaAndValue(s, value(s, 2));
            }
        }
    }

    /** A struct schema with a default of its own. */
    static Schema copy(Schema s, Object def) {
        return new ConnectSchema(s.type(), s.isOptional(), def, s.name(), s.version(), s.doc(), s.parameters(), s.fields(), null, null);
    }

    static SchemaBuilder struct(int depth, boolean times) {
        SchemaBuilder b = SchemaBuilder.struct();
        if (rnd.nextInt(2) == 0) b.name(any(new String[] {"rec", "com.x.Order"}));
        if (rnd.nextInt(3) == 0) b.version(1 + rnd.nextInt(3));
        if (rnd.nextInt(5) == 0) b.doc("about it");
        if (rnd.nextInt(5) == 0) b.parameter("p", "q");
        List<String> names = new ArrayList<>(Arrays.asList(NAMES));
        Collections.shuffle(names, rnd);
        for (String n : names.subList(0, 1 + rnd.nextInt(5))) b.field(n, schema(depth - 1, times));
        return b;
    }

    static Schema schema(int depth, boolean times) {
        if (times && rnd.nextInt(2) == 0) return time();
        if (depth <= 0 || rnd.nextInt(3) > 0) return primitive();
        SchemaBuilder b;
        switch (rnd.nextInt(5)) {
            case 0: b = SchemaBuilder.array(schema(depth - 1, times)); break;
            case 1: b = SchemaBuilder.map(rnd.nextInt(3) > 0 ? Schema.STRING_SCHEMA : Schema.INT32_SCHEMA, schema(depth - 1, times)); break;
            default: b = struct(depth, times);
        }
        if (rnd.nextInt(3) == 0) b.optional();
        Schema s = b.build();
        if (s.type() == Schema.Type.STRUCT && rnd.nextInt(4) == 0) {
            Object d = value(s, depth);
            if (d != null) s = copy(s, d);
        }
        return s;
    }

    static Schema time() {
        SchemaBuilder b;
        switch (rnd.nextInt(6)) {
            case 0: b = org.apache.kafka.connect.data.Date.builder(); break;
            case 1: b = Time.builder(); break;
            case 2: b = Timestamp.builder(); break;
            case 3: b = SchemaBuilder.string(); break;
            case 4: b = SchemaBuilder.int64(); break;
            default: return primitive();
        }
        return finish(b);
    }

    static Schema primitive() {
        SchemaBuilder b;
        switch (rnd.nextInt(13)) {
            case 0: b = SchemaBuilder.int8(); break;
            case 1: b = SchemaBuilder.int16(); break;
            case 2: b = SchemaBuilder.int32(); break;
            case 3: b = SchemaBuilder.int64(); break;
            case 4: b = SchemaBuilder.float32(); break;
            case 5: b = SchemaBuilder.float64(); break;
            case 6: b = SchemaBuilder.bool(); break;
            case 7: case 8: b = SchemaBuilder.string(); break;
            case 9: b = SchemaBuilder.bytes(); break;
            case 10: b = Decimal.builder(rnd.nextInt(4)); break;
            case 11: b = org.apache.kafka.connect.data.Date.builder(); break;
            default: b = rnd.nextBoolean() ? Time.builder() : Timestamp.builder();
        }
        return finish(b);
    }

    static Schema finish(SchemaBuilder b) {
        if (rnd.nextInt(3) == 0) b.optional();
        if (rnd.nextInt(8) == 0) b.doc("d");
        if (rnd.nextInt(4) == 0) b.defaultValue(scalar(b));
        return b.build();
    }

    static Object value(Schema s, int depth) {
        if (s.isOptional() && rnd.nextInt(4) == 0) return null;
        switch (s.type()) {
            case ARRAY: {
                List<Object> l = new ArrayList<>();
                for (int i = rnd.nextInt(3); i > 0; i--) l.add(value(s.valueSchema(), depth - 1));
                return l;
            }
            case MAP: {
                Map<Object, Object> m = new LinkedHashMap<>();
                for (int i = rnd.nextInt(3); i > 0; i--) m.put(s.keySchema().type() == Schema.Type.STRING ? any(NAMES) : (Object) rnd.nextInt(9), value(s.valueSchema(), depth - 1));
                return m;
            }
            case STRUCT: {
                Struct st = new Struct(s);
                for (Field f : s.fields()) {
                    if (f.schema().defaultValue() != null && rnd.nextInt(3) == 0) continue; // null, for its default
                    st.put(f, value(f.schema(), depth - 1));
                }
                return st;
            }
            default: return scalar(s);
        }
    }

    static Object scalar(Schema s) {
        if (s.name() != null) {
            switch (s.name()) {
                case Decimal.LOGICAL_NAME:
                    return new BigDecimal(new BigInteger(1 + rnd.nextInt(70), rnd).subtract(BigInteger.valueOf(rnd.nextInt(1000))), Integer.parseInt(s.parameters().get("scale")));
                case org.apache.kafka.connect.data.Date.LOGICAL_NAME: return new java.util.Date(86400000L * (rnd.nextInt(40000) - 5000));
                case Time.LOGICAL_NAME: return new java.util.Date(rnd.nextInt(86400000));
                case Timestamp.LOGICAL_NAME: return new java.util.Date(moment());
            }
        }
        switch (s.type()) {
            case INT8: return (byte) rnd.nextInt();
            case INT16: return (short) rnd.nextInt();
            case INT32: return rnd.nextInt(4) == 0 ? rnd.nextInt(100) : rnd.nextInt();
            case INT64: return rnd.nextInt(3) == 0 ? rnd.nextLong() : moment();
            case FLOAT32: return any(new Float[] {0f, -0f, 1.5f, 1e10f, 3.4e38f, Float.NaN, Float.POSITIVE_INFINITY, -7.25f, 100f, 1e-5f, 300f});
            case FLOAT64: return any(new Double[] {0d, -1d, 2.5, 1e300, 1e-7, Double.NaN, Double.NEGATIVE_INFINITY, 123456789.125, 0.5, 70000.9, 1e19});
            case BOOLEAN: return rnd.nextBoolean();
            case BYTES: return new byte[] {1, (byte) 200, 3};
            default: return text();
        }
    }

    static String text() {
        return rnd.nextInt(3) == 0 ? any(TIMES) : any(new String[] {"", "x", "1", "-5", "+7", "300", "70000", "1.5", "1e3", " 2 ", "true", "TRUE", "false", "NaN", "1e400", "0x1p3", "3f", "Infinity", "é", "12345678901234567890", "1_0"});
    }

    static Object stamp() {
        switch (rnd.nextInt(5)) {
            case 0: return new java.util.Date(moment());
            case 1: return moment();
            case 2: return any(TIMES);
            case 3: return null;
            default: return plain(0);
        }
    }

    static final BigDecimal[] DECIMALS = {new BigDecimal("1.50"), new BigDecimal("-7"), new BigDecimal("1e30"), new BigDecimal("0.00"), new BigDecimal("12345678901234567890.5")};

    /** A value without a schema. */
    static Object plain(int depth) {
        switch (rnd.nextInt(depth > 0 ? 14 : 11)) {
            case 0: return null;
            case 1: return (byte) rnd.nextInt();
            case 2: return (short) rnd.nextInt();
            case 3: return rnd.nextInt();
            case 4: return moment();
            case 5: return any(new Float[] {1.5f, -2f, Float.NaN, 1e20f});
            case 6: return any(new Double[] {2.5, 1e30, -0.5});
            case 7: return rnd.nextBoolean();
            case 8: return text();
            case 9: return new byte[] {9};
            case 10: return rnd.nextInt(3) == 0 ? new java.util.Date(moment()) : rnd.nextInt(3) == 0 ? any(DECIMALS) : text();
            case 11: { List<Object> l = new ArrayList<>(); for (int i = rnd.nextInt(3); i > 0; i--) l.add(plain(depth - 1)); return l; }
            case 12: return map(depth, false);
            default: { Schema s = struct(1, false).build(); return rnd.nextInt(4) == 0 ? value(s, 1) : map(depth, false); }
        }
    }

    static Map<Object, Object> map(int depth, boolean times) {
        Map<Object, Object> m = new LinkedHashMap<>();
        for (int i = rnd.nextInt(6); i > 0; i--) m.put(any(NAMES), times && rnd.nextInt(2) == 0 ? stamp() : plain(depth - 1));
        if (rnd.nextInt(40) == 0) m.put(7, "x");
        return m;
    }

    // ---- JSON

    static class Schemas {
        final List<String> all = new ArrayList<>();

        int of(Schema s) {
            StringBuilder b = new StringBuilder("{\"t\":\"" + s.type() + "\"");
            if (s.isOptional()) b.append(",\"o\":true");
            if (s.name() != null) b.append(",\"n\":").append(quote(s.name()));
            if (s.version() != null) b.append(",\"v\":").append(s.version());
            if (s.doc() != null) b.append(",\"d\":").append(quote(s.doc()));
            if (s.parameters() != null) {
                StringJoiner j = new StringJoiner(",", ",\"p\":[", "]");
                s.parameters().forEach((k, v) -> j.add("[" + quote(k) + "," + quote(v) + "]"));
                b.append(j);
            }
            if (s.type() == Schema.Type.STRUCT) {
                StringJoiner j = new StringJoiner(",", ",\"f\":[", "]");
                for (Field f : s.fields()) j.add("[" + quote(f.name()) + "," + of(f.schema()) + "]");
                b.append(j);
            }
            if (s.type() == Schema.Type.MAP && s.keySchema() != null) b.append(",\"k\":").append(of(s.keySchema()));
            if ((s.type() == Schema.Type.MAP || s.type() == Schema.Type.ARRAY) && s.valueSchema() != null) b.append(",\"e\":").append(of(s.valueSchema()));
            if (s.defaultValue() != null) b.append(",\"def\":").append(write(s.defaultValue(), this, true));
            String text = b.append("}").toString();
            int i = all.indexOf(text);
            if (i < 0) { i = all.size(); all.add(text); }
            return i;
        }

        @Override public String toString() { return "[" + String.join(",", all) + "]"; }
    }

    static String write(ConnectRecord<?> r, Schemas s) {
        StringJoiner h = new StringJoiner(",", "[", "]");
        for (Header x : r.headers()) h.add("[" + quote(x.key()) + "," + write(x.schema(), x.value(), s) + "]");
        return "{\"topic\":" + quote(r.topic()) + ",\"part\":" + r.kafkaPartition() + ",\"ts\":" + r.timestamp()
            + (r instanceof SinkRecord ? ",\"off\":" + ((SinkRecord) r).kafkaOffset() : "")
            + ",\"k\":[" + write(r.keySchema(), r.key(), s) + "],\"v\":[" + write(r.valueSchema(), r.value(), s) + "],\"h\":" + h + "}";
    }

    static String write(Schema schema, Object v, Schemas s) { return (schema == null ? "null" : "" + s.of(schema)) + "," + write(v, s, false); }

    /** A struct that is a default has the schema that it is the default of. */
    static String write(Object v, Schemas s, boolean isDefault) {
        if (v == null) return "null";
        if (v instanceof Byte) return "[\"i8\"," + v + "]";
        if (v instanceof Short) return "[\"i16\"," + v + "]";
        if (v instanceof Integer) return "[\"i32\"," + v + "]";
        if (v instanceof Long) return "[\"i64\"," + v + "]";
        if (v instanceof Float) return "[\"f32\"," + Float.floatToIntBits((Float) v) + "]";
        if (v instanceof Double) return "[\"f64\"," + Double.doubleToLongBits((Double) v) + "]";
        if (v instanceof Boolean) return "[\"b\"," + v + "]";
        if (v instanceof String) return "[\"s\"," + quote((String) v) + "]";
        if (v instanceof byte[]) return "[\"y\",\"" + Base64.getEncoder().encodeToString((byte[]) v) + "\"]";
        if (v instanceof java.util.Date) return "[\"d\"," + ((java.util.Date) v).getTime() + "]";
        if (v instanceof BigDecimal) return "[\"n\",\"" + ((BigDecimal) v).unscaledValue() + "\"," + ((BigDecimal) v).scale() + "]";
        if (v instanceof List) {
            StringJoiner j = new StringJoiner(",", "[\"a\",[", "]]");
            for (Object e : (List<?>) v) j.add(write(e, s, false));
            return j.toString();
        }
        if (v instanceof Map) {
            StringJoiner j = new StringJoiner(",", "[\"m\",[", "]]");
            ((Map<?, ?>) v).forEach((k, e) -> j.add("[" + write(k, s, false) + "," + write(e, s, false) + "]"));
            return j.toString();
        }
        Struct st = (Struct) v;
        StringJoiner j = new StringJoiner(",", "[\"t\"," + (isDefault ? -1 : s.of(st.schema())) + ",[", "]]");
        for (Field f : st.schema().fields()) j.add(write(st.getWithoutDefault(f.name()), s, false));
        return j.toString();
    }

    static String definition(ConfigDef def) {
        StringJoiner j = new StringJoiner(",", "[", "]");
        for (ConfigDef.ConfigKey k : def.configKeys().values()) {
            boolean has = k.hasDefault();
            j.add("{\"name\":" + quote(k.name) + ",\"type\":\"" + k.type + "\",\"required\":" + !has + ",\"default\":"
                + (has && k.defaultValue != null ? quote(ConfigDef.convertToString(k.defaultValue, k.type)) : "null") + ",\"importance\":\"" + k.importance
                + "\",\"valid\":" + (k.validator == null ? "null" : quote(k.validator.toString())) + ",\"doc\":" + quote(k.documentation) + "}");
        }
        return j.toString();
    }

    /** Class and words, less addresses, which are others every time. */
    static String error(Throwable e) {
        return "[" + quote(e.getClass().getName()) + "," + (e.getMessage() == null ? "null" : quote(e.getMessage().replaceAll("@[0-9a-f]{5,8}\\b", "@"))) + "]";
    }

    static String json(Map<String, String> m) {
        StringJoiner j = new StringJoiner(",", "{", "}");
        m.forEach((k, v) -> j.add(quote(k) + ":" + quote(v)));
        return j.toString();
    }

    static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') b.append('\\').append(c);
            else if (c < 0x20 || c > 0x7e) b.append(String.format("\\u%04x", (int) c));
            else b.append(c);
        }
        return b.append('"').toString();
    }
}
