/// The numbered migrations of `sql/migrations`, embedded at build time so that the executable is one file.
package enum SchemaSQL {
    package struct Migration: Sendable {
        package let version: Int32
        package let name: String
        package let text: String
    }

    /// In ascending order, without gaps. Append only: a migration that was released is never edited.
    package static let migrations: [Migration] = [
        Migration(version: 1, name: "catalog", text: text(PackageResources._001_catalog_sql)),
        Migration(version: 2, name: "sessions", text: text(PackageResources._002_sessions_sql)),
        Migration(version: 3, name: "leases", text: text(PackageResources._003_leases_sql)),
        Migration(
            version: 4, name: "creation_per_database", text: text(PackageResources._004_creation_per_database_sql)),
        Migration(
            version: 5, name: "collection_options", text: text(PackageResources._005_collection_options_sql)),
        Migration(
            version: 6, name: "kinds_of_collections", text: text(PackageResources._006_kinds_of_collections_sql)),
        Migration(version: 7, name: "indexes", text: text(PackageResources._007_indexes_sql)),
        Migration(
            version: 8, name: "unfinished_collections", text: text(PackageResources._008_unfinished_collections_sql)),
        Migration(
            version: 9, name: "prepared_unique_indexes",
            text: text(PackageResources._009_prepared_unique_indexes_sql)),
        Migration(version: 10, name: "index_builds", text: text(PackageResources._010_index_builds_sql)),
        Migration(version: 11, name: "bson_functions", text: text(PackageResources._011_bson_functions_sql)),
        Migration(version: 12, name: "sql_views", text: text(PackageResources._012_sql_views_sql)),
        Migration(version: 13, name: "key_heads", text: text(PackageResources._013_key_heads_sql)),
        Migration(version: 14, name: "query_settings", text: text(PackageResources._014_query_settings_sql)),
        Migration(version: 15, name: "users", text: text(PackageResources._015_users_sql)),
        Migration(version: 16, name: "settings", text: text(PackageResources._016_settings_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
