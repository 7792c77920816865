#include "common/config/toml_reader.hpp"

#include <gmock/gmock.h>

#include "common/core/address.hpp"
#include "common/core/clock.hpp"

namespace tunnel::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> texts_of(const std::vector<Problem>& problems) {
    std::vector<std::string> texts;
    for (const auto& problem : problems) texts.push_back(to_string(problem));
    return texts;
}

TEST(TomlReader, ReadsEveryType) {
    auto document = Document::parse(
        "text = \"a\"\nflag = true\nnumber = -7\nwait = \"15s\"\nports = [\"80\", \"90-99\"]\n[sub]\ntext = "
        "\"b\"\n"
        "[[item]]\nname = \"one\"\n[[item]]\nname = \"two\"\n",
        "f");
    Table root = document.root();
    std::string text;
    bool flag = false;
    int number = 0;
    Millis wait{};
    std::vector<PortRange> ports{{1, 2}};
    EXPECT_TRUE(root.read("text", text));
    EXPECT_TRUE(root.read("flag", flag));
    EXPECT_TRUE(root.read_number("number", number, -10, 10));
    EXPECT_TRUE(root.read("wait", wait, parse_duration));
    EXPECT_TRUE(root.read_list("ports", ports, parse_port_range));
    EXPECT_EQ(text, "a");
    EXPECT_TRUE(flag);
    EXPECT_EQ(number, -7);
    EXPECT_EQ(wait, Seconds(15));
    EXPECT_THAT(ports, ElementsAre(PortRange{80, 80}, PortRange{90, 99}));
    EXPECT_TRUE(root.table("sub").read("text", text));
    EXPECT_EQ(text, "b");
    std::vector<std::string> names;
    for (Table& item : root.tables("item")) {
        item.read("name", text);
        names.push_back(text);
    }
    EXPECT_THAT(names, ElementsAre("one", "two"));
    EXPECT_THAT(document.finish(), IsEmpty());
}

TEST(TomlReader, MissingKeysLeaveTheDefaults) {
    auto document = Document::parse("", "f");
    Table root = document.root();
    std::string text = "kept";
    std::vector<PortRange> ports{{1, 2}};
    EXPECT_FALSE(root.read("text", text));
    EXPECT_FALSE(root.read_list("ports", ports, parse_port_range));
    Table sub = root.table("sub");
    EXPECT_FALSE(sub.present());
    EXPECT_FALSE(sub.read("text", text));
    EXPECT_THAT(root.tables("item"), IsEmpty());
    EXPECT_EQ(text, "kept");
    EXPECT_THAT(ports, SizeIs(1));
    EXPECT_THAT(document.finish(), IsEmpty());
}

TEST(TomlReader, ReportsEveryWrongTypeAtItsValue) {
    auto document = Document::parse(
        "text = 15\n  flag = \"yes\"\nnumber = \"1\"\nlist = \"80\"\nmixed = [\"80\", 90, 'x']\nsub = 1\n"
        "[item]\n[[table]]\n",
        "dir/f.toml");
    Table root = document.root();
    std::string text = "kept";
    bool flag = false;
    unsigned number = 3;
    std::vector<PortRange> ports;
    EXPECT_FALSE(root.read("text", text));
    EXPECT_FALSE(root.read("flag", flag));
    EXPECT_FALSE(root.read_number("number", number, 0, 9));
    EXPECT_FALSE(root.read_list("list", ports, parse_port_range));
    EXPECT_FALSE(root.read_list("mixed", ports, parse_port_range));
    EXPECT_FALSE(root.table("sub").present());
    EXPECT_THAT(root.tables("item"), IsEmpty());
    EXPECT_FALSE(root.table("table").present());
    EXPECT_EQ(text, "kept");
    EXPECT_EQ(number, 3U);
    EXPECT_THAT(
        texts_of(document.finish()),
        ElementsAre(
            "dir/f.toml:1:8: text: this is a whole number: write text in quotes",
            "dir/f.toml:2:10: flag: this is text: write true or false, without quotes",
            "dir/f.toml:3:10: number: this is text: write a whole number from 0 to 9",
            "dir/f.toml:4:8: list: this is text: write a list of texts, such as [\"one\", \"two\"]",
            "dir/f.toml:5:16: mixed: this is a whole number: write text in quotes",
            "dir/f.toml:6:7: sub: this is a whole number: write a table that begins with [sub]",
            "dir/f.toml:7:1: item: this is a table: write [[item]], in double brackets, above each",
            "dir/f.toml:8:1: table: this is a list of tables: write a table that begins with [table]"));
}

TEST(TomlReader, ReportsValuesThatTheirParserRefuses) {
    auto document =
        Document::parse("wait = \"15\"\nnumber = 70000\nports = [\"80\",\n  \"x\",\n  \"9-1\"]\n", "f");
    Table root = document.root();
    Millis wait{1};
    Port number = 5;
    std::vector<PortRange> ports{{1, 2}};
    EXPECT_FALSE(root.read_list("ports", ports, parse_port_range));
    EXPECT_FALSE(root.read_number("number", number, 0, 65535));
    EXPECT_FALSE(root.read("wait", wait, parse_duration));
    EXPECT_EQ(wait, Millis(1));
    EXPECT_EQ(number, 5);
    EXPECT_THAT(ports, ElementsAre(PortRange{1, 2})) << "a list with one bad element changes nothing";
    EXPECT_THAT(texts_of(document.finish()),
                ElementsAre(HasSubstr("f:1:8: wait: \"15\" is not a duration"),
                            "f:2:10: number: 70000 is out of range: write 0 to 65535",
                            HasSubstr("f:4:3: ports: \"x\" is not a port range"),
                            HasSubstr("f:5:3: ports: \"9-1\" is not a port range")));
}

TEST(TomlReader, ReportsUnknownKeysWithTheNearestName) {
    auto document = Document::parse(
        "grce = \"1s\"\nlevel = \"x\"\nzebra = 1\n[log]\nlevle = \"info\"\ngrace = \"1s\"\n[lgo]\nx = 1\n",
        "f");
    Table root = document.root();
    std::string text;
    root.read("grace", text);
    root.table("log").read("level", text);
    EXPECT_THAT(
        texts_of(document.finish()),
        ElementsAre(
            "f:1:1: unknown key \"grce\": did you mean \"grace\"?",
            "f:2:1: unknown key \"level\": it belongs into [log]",
            "f:3:1: unknown key \"zebra\": remove it, or see the sample config for the keys there are",
            "f:5:1: unknown key \"levle\" in [log]: did you mean \"level\"?",
            "f:6:1: unknown key \"grace\" in [log]: it belongs to the top level, above the first "
            "[table]",
            "f:7:2: unknown key \"lgo\": did you mean \"log\"?"));
}

TEST(TomlReader, FindsUnknownKeysInEveryElementOfAList) {
    auto document = Document::parse("[[item]]\nname = \"a\"\n[[item]]\nnmae = \"b\"\n", "f");
    std::string text;
    for (Table& item : document.root().tables("item")) item.read("name", text);
    EXPECT_THAT(texts_of(document.finish()),
                ElementsAre("f:4:1: unknown key \"nmae\" in [item]: did you mean \"name\"?"));
}

TEST(TomlReader, ASyntaxErrorIsTheOneProblem) {
    auto document = Document::parse("grace = \"1s\"\ndrain = 15s\nworkers = \n", "f");
    Table root = document.root();
    std::string text = "kept";
    EXPECT_FALSE(root.present());
    EXPECT_FALSE(root.read("grace", text));
    EXPECT_EQ(text, "kept");
    const auto problems = document.finish();
    ASSERT_THAT(problems, SizeIs(1));
    EXPECT_EQ(problems[0].line, 2U);
    EXPECT_EQ(problems[0].column, 11U);
}

TEST(TomlReader, TextWithoutQuotesIsExplained) {
    for (const auto* text :
         {"a = tunnel://home\n", "a = info\n", "a = never\n", "a = full\n", "a = level\n"}) {
        const auto problems = Document::parse(text, "f").finish();
        ASSERT_THAT(problems, SizeIs(1)) << text;
        EXPECT_THAT(problems[0].message, HasSubstr("text stands in quotes")) << text;
    }
}

TEST(TomlReader, ColumnsCountCharactersAndTabsAsOne) {
    auto document = Document::parse("\"\xc3\xa9\" = 1 # \xe2\x82\xac\n\ttext = 15\n", "f");
    std::string text;
    document.root().read("text", text);
    EXPECT_THAT(texts_of(document.finish()),
                ElementsAre(HasSubstr("f:1:1: unknown key \"\xc3\xa9\""), HasSubstr("f:2:9: text: ")));
}

TEST(TomlReader, LinesThatEndInCarriageReturnsCountAsOne) {
    auto document = Document::parse("a = 1\r\nb = 2\r\n", "f");
    document.root().integer("a", 0, 9);
    EXPECT_THAT(texts_of(document.finish()), ElementsAre(HasSubstr("f:2:1: unknown key \"b\"")));
}

TEST(TomlReader, CallersReportProblemsOfTheirOwn) {
    auto document = Document::parse("a = 1\n[sub]\nb = 2\n", "f");
    Table root = document.root();
    Table sub = root.table("sub");
    sub.integer("b", 0, 9);
    root.integer("a", 0, 9);
    sub.report("b", sub.position_of("b"), "too much");
    root.report(root.position(), "lacking");
    EXPECT_EQ(sub.position(), (Position{2, 1}));
    EXPECT_EQ(sub.position_of("missing"), (Position{2, 1}));
    EXPECT_THAT(texts_of(document.finish()), ElementsAre("f:1:1: lacking", "f:3:5: sub.b: too much"));
}

TEST(TomlReader, ListsTheKeysAskedForAndThoseInTheText) {
    auto document =
        Document::parse("a = 1\n[sub]\nb = [\"x\"]\nempty = []\n[[item]]\nc = 1\n[[item]]\nd = 1\n", "f");
    Table root = document.root();
    root.integer("z", 0, 9);
    root.table("gone").boolean("y");
    EXPECT_THAT(document.known_keys(), ElementsAre("gone.y", "z"));
    EXPECT_THAT(document.present_keys(), ElementsAre("a", "item.c", "item.d", "sub.b", "sub.empty"));
}

TEST(TomlReader, TellsWhereAValueStandsInTheText) {
    for (const std::string text :
         {"\xef\xbb\xbf# \xe2\x82\xac\r\n\t'link' = \"\xc3\xa9\xe2\x82\xac\" # c\r\nb = 1\n",
          "link=\"\xc3\xa9\xe2\x82\xac\"", "a = 1\n\n\nlink = \"\xc3\xa9\xe2\x82\xac\"\n[t]\nlink = 2"}) {
        const auto range = Document::parse(text, "f").value_range("link");
        ASSERT_TRUE(range) << text;
        EXPECT_EQ(text.substr(range->begin, range->end - range->begin), "\"\xc3\xa9\xe2\x82\xac\"") << text;
    }
    EXPECT_FALSE(Document::parse("[t]\nlink = 1\n", "f").value_range("link"));
    const std::string many = "a = 1\nlink = \"\"\"x\ny\"\"\" # c\n";
    const auto range = Document::parse(many, "f").value_range("link");
    ASSERT_TRUE(range);
    EXPECT_EQ(many.substr(range->begin, range->end - range->begin), "\"\"\"x\ny\"\"\"");
}

TEST(TomlReader, ProblemsBecomeOneErrorALineEach) {
    const auto error = to_error({{"f", 1, 2, "one"}, {"f", 0, 0, "two"}});
    EXPECT_EQ(error.code, Errc::invalid);
    EXPECT_EQ(error.message, "f:1:2: one\nf: two");
}

}  // namespace
}  // namespace tunnel::config
