import Testing

@testable import LivePage

@Suite("The live page")
struct LivePageTests {
    @Test("holds its style and its script, and nothing from elsewhere")
    func selfContained() {
        let page = LivePage.html
        #expect(page.contains("<style>\(LivePage.style)</style>"))
        #expect(page.contains("<script>\(LivePage.script)</script>"))
        #expect(!page.contains("<!--"))
        for reference in ["src=", "@import", "url(", "//cdn", "https:"] {
            #expect(!page.contains(reference), "the page refers to \(reference)")
        }
        // The names of namespaces of XML are not addresses that anybody asks.
        #expect(page.replacing("http://www.w3.org/2000/svg", with: "").contains("http:") == false)
    }

    @Test("puts nothing on the page as markup")
    func textOnly() {
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write(", "eval(", "new Function", "'on"] {
            #expect(!LivePage.script.contains(way), "the script uses \(way)")
        }
        #expect(!LivePage.html.contains(" onclick"))
    }

    @Test("its policy admits this style and this script only")
    func policy() {
        let policy = LivePage.securityPolicy
        #expect(policy.hasPrefix("default-src 'none'; script-src 'sha256-"))
        #expect(!policy.contains("unsafe"))
        #expect(!policy.contains("\n"))
    }
}
