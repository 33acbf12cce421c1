package import BSON
internal import Crypto

/// What plans are chosen by: a query without the values it asks for, and without what makes no difference to a plan.
/// Coarser than a ``QueryShape``: the order of conditions does not matter, nor do types of values, nor the arguments of
/// `$expr` and `$type`.
///
/// Index filters are found by it. The hash that clients are shown (`planCacheShapeHash`) is Martlet's own: equal for
/// queries of one shape, on every server and in every version that does not say otherwise, but not what MongoDB shows.
package struct PlanShape: Sendable, Hashable {
    private let text: String

    /// - Parameters:
    ///   - projection: that of a `find`.
    ///   - collation: in full; nil for bytewise.
    ///   - stages: those of a pipeline behind the query that a planner would look at.
    package init(
        filter: Document, sort: Document? = nil, projection: Document? = nil, collation: Document? = nil,
        stages: [Document] = []
    ) {
        var text = filter.withRaw { ShapeCondition($0).planText }
        if let sort, !sort.isEmpty { text += Self.section("sort") + sort.withRaw(Self.order) }
        if let projection, !projection.isEmpty { text += Self.section("project") + projection.withRaw(Self.fields) }
        if let collation { text += Self.section("collate") + collation.withRaw { String(hexadecimal: $0.bytes) } }
        for stage in stages { text += Self.section("stage") + stage.withRaw(Self.content) }
        self.text = text
    }

    /// 8 hexadecimal digits.
    package var hash: String { Self.hash(of: text) }

    /// The same for a plan among these indexes.
    package func key(amongIndexes names: [String]) -> String {
        Self.hash(of: text + names.map { Self.section("index") + $0 }.joined())
    }

    private static func hash(of text: String) -> String {
        String(hexadecimal: SHA256.hash(data: Array(text.utf8)).prefix(4))
    }

    /// No name holds a NUL.
    static let separator = "\u{0}"

    private static func section(_ name: String) -> String { "\(separator)\(separator)\(name)\(separator)" }

    private static func order(_ sort: RawDocument) -> String {
        sort.map { field in
            let isDescending = field.value.number.map { $0.asDouble < 0 } ?? false
            let direction = field.value.document == nil ? (isDescending ? "-" : "+") : "$"
            return direction + field.key.string + separator
        }.joined()
    }

    private static func fields(_ projection: RawDocument) -> String {
        projection.map { field in
            let kind = field.value.number != nil || field.value.bool != nil ? (field.value.isTruthy ? "+" : "-") : "$"
            return field.key.string + separator + kind + separator
        }.sorted().joined()
    }

    /// All that is in a document, constants of expressions aside.
    private static func content(_ document: RawDocument) -> String {
        let shape = Document { builder in
            for field in document { builder.append(field.key, shapeOfOptions: field.value) }
        }
        return shape.withRaw { String(hexadecimal: $0.bytes) }
    }
}

extension ShapeCondition {
    /// Conditions in an order of their own.
    fileprivate var planText: String {
        switch self {
        case .all(let conditions): conditions.planText(of: "and")
        case .any(let branches): branches.planText(of: "or")
        case .none(let branches): branches.planText(of: "nor")
        case .not(let condition): "not(" + condition.planText + ")"
        case .test(let path, let name, let operand): Self.planName(name, operand) + Self.planText(path)
        case .options(let path, let text): "options=" + text + Self.planText(path)
        case .element(let path, let condition, let ofDocuments):
            (ofDocuments ? "elements" : "values") + Self.planText(path) + "(" + condition.planText + ")"
        case .whole(let name, let operand): name + PlanShape.separator + Self.planArguments(name, operand)
        }
    }

    private static func planText(_ path: String) -> String { PlanShape.separator + path + PlanShape.separator }

    /// A list of one value is that value.
    private static func planName(_ name: String, _ operand: RawValue) -> String {
        guard name == "$in", let list = operand.array, list.elementCount == 1 else { return name }
        return list.firstElement?.value.type == .regex ? "$regex" : "$eq"
    }

    private static func planArguments(_ name: String, _ operand: RawValue) -> String {
        guard name == "$jsonSchema" else { return "" }
        let schema = Document { $0.append("", shapeOfSchema: operand) }
        return schema.withRaw { String(hexadecimal: $0.bytes) }
    }
}

extension [ShapeCondition] {
    fileprivate func planText(of name: String) -> String {
        name + "(" + map(\.planText).sorted().joined(separator: ",") + ")"
    }
}
