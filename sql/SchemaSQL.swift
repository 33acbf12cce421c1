/// The numbered migrations of `sql/migrations`, embedded at build time.
package enum SchemaSQL {
}
