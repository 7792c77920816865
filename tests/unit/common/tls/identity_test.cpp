#include "common/tls/identity.hpp"

#include <gtest/gtest.h>

#include "common/tls/context.hpp"

namespace tunnel::tls {
namespace {

// Made with `openssl req -x509`; the pin is `openssl x509 -pubkey | openssl pkey -pubin -outform der |
// openssl dgst -sha256 -binary | basenc --base64url`.
constexpr std::string_view foreign_certificate = R"(-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIUcavJIN/Za8BK6qs9QUtPJafRUDUwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMZml4dHVyZS50ZXN0MCAXDTI2MTEyMTIxMTExMFoYDzIxMjYx
MDI4MjExMTEwWjAXMRUwEwYDVQQDDAxmaXh0dXJlLnRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAR7u5VtneNXNtAwAkKTxGyRIAiP1mGpF42eBF9sj2yJf9Yx
OJpxgmTRPovM52z8eejhoho5ohN4PG5Fi9mM0kn/o1MwUTAdBgNVHQ4EFgQU61Sf
dp3XyVhgKDm9UbCbpYwz1nUwHwYDVR0jBBgwFoAU61Sfdp3XyVhgKDm9UbCbpYwz
1nUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBxAnP1JfWdac4l
LTq964G1npPySl2FCNyMj5iBYjwsjQIhAJc7e4IJK0tkhBEvivXVaok8XBviDRQD
r2oozHxzk4Fj
-----END CERTIFICATE-----
)";
constexpr std::string_view foreign_pin = "VOnlEfJLEe6_hhq2a2Mm_SQmZSDgmuPrSCIk7PKj_hg";

TEST(Identity, MakesACertificateForItsKey) {
    for (const char* host : {"vps.example.com", "192.0.2.1", "2001:db8::1", "localhost"}) {
        const auto identity = make_identity(host);
        ASSERT_TRUE(identity) << identity.error().message;
        EXPECT_TRUE(identity->certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
        EXPECT_TRUE(text_of(identity->key_pem.reveal()).starts_with("-----BEGIN EC PRIVATE KEY-----"));
        const auto context = ServerContext::make(identity->certificate_pem, identity->key_pem);
        ASSERT_TRUE(context) << context.error().message;
        EXPECT_EQ((*context)->pin(), pin_of_certificate(identity->certificate_pem).value());
    }
}

TEST(Identity, IsNewEveryTime) {
    const auto a = make_identity("a.test");
    const auto b = make_identity("a.test");
    EXPECT_FALSE(a->key_pem == b->key_pem);
    EXPECT_NE(pin_of_certificate(a->certificate_pem).value(), pin_of_certificate(b->certificate_pem).value());
}

TEST(Identity, TakesHostsLongerThanACommonName) {
    const std::string label(60, 'a');
    const auto identity = make_identity(label + "." + label + "." + label + ".example");
    ASSERT_TRUE(identity) << identity.error().message;
    EXPECT_TRUE(ServerContext::make(identity->certificate_pem, identity->key_pem));
}

TEST(Identity, RefusesWhatIsNoHost) {
    for (const std::string& host :
         {std::string(), std::string("a,CN=b"), std::string("two words"), std::string("a\nb"),
          std::string("a:80"), std::string("[::1]"), std::string(254, 'a'), std::string("x\0y", 3)}) {
        const auto identity = make_identity(host);
        ASSERT_FALSE(identity) << host;
        EXPECT_EQ(identity.error().code, Errc::invalid);
    }
}

TEST(Pin, IsTheHashOfTheSubjectPublicKeyInfo) {
    const auto pin = pin_of_certificate(foreign_certificate);
    ASSERT_TRUE(pin) << pin.error().message;
    EXPECT_EQ(pin->to_string(), foreign_pin);
    EXPECT_EQ(Pin::parse(foreign_pin).value(), *pin);
}

TEST(Pin, ParseRefusesOtherText) {
    EXPECT_FALSE(Pin::parse(""));
    EXPECT_FALSE(Pin::parse(std::string(foreign_pin) + "A"));
    EXPECT_FALSE(Pin::parse(foreign_pin.substr(1)));
    EXPECT_FALSE(Pin::parse(std::string(42, 'A') + "="));
    EXPECT_EQ(Pin::parse("short").error().code, Errc::invalid);
    EXPECT_NE(Pin::parse("short").error().message.find("'short'"), std::string::npos);
}

TEST(Pin, NeedsACertificate) {
    EXPECT_EQ(pin_of_certificate("").error().code, Errc::invalid);
    EXPECT_EQ(
        pin_of_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").error().code,
        Errc::invalid);
}

TEST(ServerContext, RefusesAKeyOfAnotherCertificate) {
    const auto a = make_identity("a.test");
    const auto b = make_identity("a.test");
    const auto context = ServerContext::make(a->certificate_pem, b->key_pem);
    ASSERT_FALSE(context);
    EXPECT_EQ(context.error().code, Errc::invalid);
    EXPECT_NE(context.error().message.find("does not belong"), std::string::npos) << context.error().message;
}

TEST(ServerContext, SaysWhichFileIsBroken) {
    const auto identity = make_identity("a.test");
    const auto no_certificate = ServerContext::make("nonsense", identity->key_pem);
    ASSERT_FALSE(no_certificate);
    EXPECT_NE(no_certificate.error().message.find("certificate file"), std::string::npos);
    const auto no_key = ServerContext::make(identity->certificate_pem, Secret(view_of("nonsense")));
    ASSERT_FALSE(no_key);
    EXPECT_NE(no_key.error().message.find("key file"), std::string::npos);
    EXPECT_EQ(no_key.error().message.find("nonsense"), std::string::npos) << "a key file is never quoted";
}

TEST(ClientContext, RefusesABundleWithoutCertificates) {
    EXPECT_EQ(ClientContext::make(CaBundle{""}, "a.test").error().code, Errc::invalid);
    EXPECT_EQ(ClientContext::make(CaBundle{"nonsense"}, "a.test").error().code, Errc::invalid);
    EXPECT_EQ(ClientContext::make(SystemStore{"/nonexistent/store.crt"}, "a.test").error().code, Errc::io);
    EXPECT_EQ(ClientContext::make(Pin{}, "").error().code, Errc::invalid);
}

}  // namespace
}  // namespace tunnel::tls
