internal import BSON
internal import Crypto

/// The live page of the admin listener: one file without anything from elsewhere, made of the three in `Page`, which
/// are embedded at build time so that the executable is one file.
package enum LivePage {
    /// The page, with its style and its script where it says so.
    package static let html = inserted(style: style, script: script, into: text(PackageResources.live_html))

    /// Nothing but the very style and script of this page counts, whatever might get into it; they may ask this
    /// listener only, and cannot make text into markup.
    package static let securityPolicy = [
        "default-src 'none'", "script-src '\(hash(script))'", "style-src '\(hash(style))'", "connect-src 'self'",
        "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    ].joined(separator: "; ")

    static let style = text(PackageResources.live_css)
    static let script = text(PackageResources.live_js)

    private static let stylePlace = "<!-- style -->"
    private static let scriptPlace = "<!-- script -->"

    private static func inserted(style: String, script: String, into page: String) -> String {
        var result = ""
        for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
            switch line.drop(while: { $0 == " " }) {
            case stylePlace: result += "<style>\(style)</style>\n"
            case scriptPlace: result += "<script>\(script)</script>\n"
            default: result += line + "\n"
            }
        }
        return result
    }

    private static func hash(_ text: String) -> String {
        let digest = SHA256.hash(data: Array(text.utf8))
        return "sha256-" + Array(digest).withUnsafeBytes { Base64.encode($0) }
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
