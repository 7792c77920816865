#include "common/core/cipher.hpp"

#include <gmock/gmock.h>

namespace tunnel {
namespace {

using testing::HasSubstr;

constexpr auto aes = Cipher::aes_128_gcm;
constexpr auto chacha = Cipher::chacha20_poly1305;
constexpr CipherSetting automatic;
constexpr bool has_aes = true;
constexpr bool no_aes = false;

Result<Cipher> agree(CipherSetting client, bool client_has_aes, CipherSetting server, bool server_has_aes) {
    return choose_cipher(offered_ciphers(client, client_has_aes), server, server_has_aes);
}

TEST(Cipher, SettingsAreReadAsTheyAreWritten) {
    EXPECT_EQ(parse_cipher_setting("auto").value_or(aes), automatic);
    for (const auto cipher : {aes, chacha})
        EXPECT_EQ(parse_cipher_setting(to_string(cipher)).value(), cipher);
    const auto unknown = parse_cipher_setting("aes-256-gcm");
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().message, HasSubstr("\"aes-256-gcm\""));
    EXPECT_THAT(unknown.error().message, HasSubstr("chacha20-poly1305"));
}

TEST(Cipher, AesWhereBothCpusHaveInstructionsForItElseChaCha) {
    EXPECT_EQ(agree(automatic, has_aes, automatic, has_aes).value(), aes);
    EXPECT_EQ(agree(automatic, no_aes, automatic, has_aes).value(), chacha);
    EXPECT_EQ(agree(automatic, has_aes, automatic, no_aes).value(), chacha);
    EXPECT_EQ(agree(automatic, no_aes, automatic, no_aes).value(), chacha);
}

TEST(Cipher, AConfigThatInsistsGetsItsWay) {
    for (const auto cipher : {aes, chacha}) {
        for (const bool client : {has_aes, no_aes}) {
            for (const bool server : {has_aes, no_aes}) {
                EXPECT_EQ(agree(cipher, client, automatic, server).value(), cipher);
                EXPECT_EQ(agree(automatic, client, cipher, server).value(), cipher);
                EXPECT_EQ(agree(cipher, client, cipher, server).value(), cipher);
            }
        }
    }
}

TEST(Cipher, TwoThatInsistOnDifferentOnesAreToldWhatToChange) {
    const auto none = agree(aes, has_aes, chacha, has_aes);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::conflict);
    EXPECT_THAT(none.error().message, HasSubstr("server.toml says cipher = \"chacha20-poly1305\""));
    EXPECT_THAT(none.error().message, HasSubstr("client.toml says cipher = \"aes-128-gcm\""));
    EXPECT_THAT(none.error().message, HasSubstr("write cipher = \"auto\""));
}

TEST(Cipher, AnOlderClientHasAes) {
    EXPECT_EQ(choose_cipher({}, automatic, has_aes).value(), aes);
    EXPECT_EQ(choose_cipher({}, automatic, no_aes).value(), aes);
    EXPECT_EQ(choose_cipher({}, aes, has_aes).value(), aes);
    const auto none = choose_cipher({}, chacha, has_aes);
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error().message, HasSubstr("upgrade tunnel-client"));
}

TEST(Cipher, TheCpuIsAskedTheSameWayEachTime) {
    EXPECT_EQ(cpu_has_aes(), cpu_has_aes());
}

}  // namespace
}  // namespace tunnel
