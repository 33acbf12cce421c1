internal import BSON
internal import CommandModel

/// The buckets that MongoDB would keep the measurements of a time series in, one for each: mongodump reads a time
/// series by them, and what it has written MongoDB can restore.
///
/// A view like others, but nobody has made it. The `_id` of a bucket begins with the seconds of its time, as MongoDB's
/// plans expect, and goes on with what tells the measurement from others of that second: half of its own `_id`.
enum BucketsView {
    /// - Parameter namespace: that of the buckets.
    static func collection(_ namespace: Namespace, of series: Collection, _ fields: TimeseriesFields) -> Collection {
        let options = Document { builder in
            builder.append("viewOn", string: series.namespace.collection)
            builder.beginArray("pipeline")
            builder.beginDocument(index: 0)
            builder.beginDocument("$replaceWith")
            builder.beginDocument("$let")
            builder.beginDocument("vars")
            builder.writeVariables(fields)
            builder.end()
            builder.append("in", document: bucket)
            builder.end()
            builder.end()
            builder.end()
            builder.end()
        }
        // The number is that of no table.
        return Collection(namespace: namespace, number: 0, uuid: series.uuid, options: options)
    }

    /// Of the variables `time`, `meta` and `measured`: all fields but the metadata.
    private static let bucket = parsed(
        #"""
        {"_id": {"$toObjectId": {"$concat": [\#(hexadecimal(of: seconds, digits: 8)), \#(remainder)]}},
         "control": {"version": {"$literal": 1}, "min": "$$measured", "max": "$$measured"},
         "meta": "$$meta",
         "data": {"$arrayToObject": {"$map": {"input": {"$objectToArray": "$$measured"}, "as": "field",
                                              "in": {"k": "$$field.k", "v": {"0": "$$field.v"}}}}}}
        """#)

    /// Modulo 2^32, so that times before 1970 have some as well.
    private static let seconds =
        #"""
        {"$mod": [{"$add": [{"$mod": [{"$floor": {"$divide": [{"$toLong": "$$time"}, 1000]}}, 4294967296]},
                            4294967296]}, 4294967296]}
        """#

    /// 16 digits. Of an `_id` that is no ObjectId the hash, as far as arithmetic on doubles is exact.
    private static let remainder =
        #"""
        {"$cond": [{"$eq": [{"$type": "$_id"}, "objectId"]}, {"$substrCP": [{"$toString": "$_id"}, 8, 16]},
                   {"$concat": ["000", \#(hexadecimal(of: hash, digits: 13))]}]}
        """#

    private static let hash =
        #"{"$abs": {"$mod": [{"$toHashedIndexKey": "$_id"}, {"$numberLong": "4503599627370496"}]}}"#

    private static func hexadecimal(of number: String, digits: Int) -> String {
        let powers = (0..<digits).reversed().map { #"{"$numberLong": "\#(Int64(1) << Int64(4 * $0))"}"# }
        return #"""
            {"$reduce": {"input": [\#(powers.joined(separator: ", "))], "initialValue": "",
                         "in": {"$concat": ["$$value", {"$substrCP": ["0123456789abcdef",
                                {"$toInt": {"$mod": [{"$floor": {"$divide": [\#(number), "$$this"]}}, 16]}}, 1]}]}}}
            """#
    }

    private static func parsed(_ text: String) -> Document {
        do { return try Document(extendedJSON: text) } catch { return .empty }
    }
}

extension DocumentBuilder {
    fileprivate mutating func writeVariables(_ fields: TimeseriesFields) {
        writeField("time", fields.time)
        guard let meta = fields.meta else {
            append("meta", string: "$$REMOVE")
            append("measured", string: "$$ROOT")
            return
        }
        writeField("meta", meta)
        beginDocument("measured")
        beginDocument("$unsetField")
        writeLiteral("field", meta)
        append("input", string: "$$ROOT")
        end()
        end()
    }

    private mutating func writeField(_ variable: StaticString, _ name: String) {
        beginDocument(variable)
        writeLiteral("$getField", name)
        end()
    }

    private mutating func writeLiteral(_ key: StaticString, _ text: String) {
        beginDocument(key)
        append("$literal", string: text)
        end()
    }
}
