import Testing

/// The suites that need PostgreSQL, one after another: each of them starts storms that are meant to have the machine,
/// and PostgreSQL's connections, to themselves.
@Suite(.serialized) enum DatabaseTests {}
