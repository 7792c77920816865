#include "common/core/secret.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <type_traits>

namespace tunnel {
namespace {

static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);

TEST(Secret, PrintsAsStars) {
    const Secret secret(view_of("hunter2"));
    EXPECT_EQ(fmt::format("{}", secret), "***");
    EXPECT_EQ(fmt::format("{:>5}", secret), "  ***");
}

TEST(Secret, MovesLeaveNothingBehind) {
    Secret first(view_of("abc"));
    Secret second(std::move(first));
    EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): the contract under test
    Secret third(view_of("old"));
    third = std::move(second);
    EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(text_of(third.reveal()), "abc");
    Secret& same = third;
    third = std::move(same);
    EXPECT_EQ(text_of(third.reveal()), "abc") << "moving onto itself changes nothing";
}

TEST(Secret, CopiesAreEqualAndApart) {
    Secret first(view_of("abc"));
    Secret second = first.copy();
    EXPECT_EQ(first, second);
    second.reveal_mutable()[0] = 'x';
    EXPECT_FALSE(first == second);
    EXPECT_FALSE(first == Secret(view_of("abcd")));
    EXPECT_EQ(Secret(), Secret());
}

TEST(Secret, Base64urlGoesRoundTrip) {
    const auto secret = Secret::random(32);
    const auto text = secret.reveal_base64url();
    EXPECT_EQ(text.size(), 43U);
    EXPECT_EQ(Secret::from_base64url(text).value(), secret);
}

TEST(Secret, AnErrorDoesNotQuoteTheText) {
    const auto secret = Secret::from_base64url("very*secret");
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().code, Errc::invalid);
    EXPECT_THAT(secret.error().message, testing::Not(testing::HasSubstr("very")));
}

TEST(Secret, RandomOnesDiffer) {
    EXPECT_FALSE(Secret::random(32) == Secret::random(32));
    EXPECT_EQ(Secret::random(48).size(), 48U);
    EXPECT_TRUE(Secret::random(0).empty());
    EXPECT_NE(random_u64(), random_u64());
}

TEST(FillRandom, FillsMoreThanOneCallOfTheKernelGives) {
    // getrandom(2) gives at most 32 MiB - 1 a call; the tail must be filled too.
    Bytes bytes((std::size_t{1} << 25) + 4096);
    fill_random(bytes);
    const auto tail = BytesView(bytes).last(4096);
    EXPECT_GT(std::count_if(tail.begin(), tail.end(), [](Byte b) { return b != 0; }), 3000);
}

TEST(FillNonce, NoTwoAreAlikeWhateverTheThread) {
    std::set<Bytes> all;
    std::mutex mutex;
    const auto take_some = [&] {
        for (int i = 0; i < 200; ++i) {
            Bytes nonce(i % 2 == 0 ? 16 : 12);
            fill_nonce(nonce);
            const std::lock_guard lock(mutex);
            EXPECT_TRUE(all.insert(nonce).second);
        }
    };
    std::thread other(take_some);
    take_some();
    other.join();
    EXPECT_EQ(all.size(), 400U);
}

TEST(FillNonce, MayBeLong) {
    Bytes nonce(10'000);
    fill_nonce(nonce);
    EXPECT_LT(std::count(nonce.begin(), nonce.end(), 0), 200);
}

TEST(Wipe, OverwritesAndEmpties) {
    Bytes bytes{1, 2, 3};
    wipe(bytes);
    EXPECT_THAT(bytes, testing::ElementsAre(0, 0, 0));
    std::string text = "a text too long for the string's own buffer";
    const char* memory = text.data();
    const auto size = text.size();
    wipe(text);
    EXPECT_TRUE(text.empty());
    // clear() keeps the memory, so that it may be looked at.
    ASSERT_EQ(text.data(), memory);
    EXPECT_TRUE(std::all_of(memory, memory + size, [](char c) { return c == '\0'; }));
    wipe(MutableBytes());
}

TEST(ConstantTime, EqualOnlyWhenEveryByteIs) {
    EXPECT_TRUE(equal_in_constant_time({}, {}));
    EXPECT_TRUE(equal_in_constant_time(view_of("abc"), view_of("abc")));
    EXPECT_FALSE(equal_in_constant_time(view_of("abc"), view_of("abd")));
    EXPECT_FALSE(equal_in_constant_time(view_of("abc"), view_of("Abc")));
    EXPECT_FALSE(equal_in_constant_time(view_of("abc"), view_of("ab")));
}

}  // namespace
}  // namespace tunnel
