#pragma once
// What the store's tests share: a folder that goes away, and rows to put in.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "tunnel-server/store/store.hpp"

namespace tunnel::server {

class StoreTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "tunnel-store-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        folder = name;
        file = folder / "server.db";
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    Store must_open() {
        auto store = Store::open(file);
        if (!store) throw std::runtime_error(store.error().message);
        return std::move(*store);
    }

    std::filesystem::path folder;
    std::filesystem::path file;
};

inline WallTime at(std::int64_t unix_seconds) {
    return WallTime(Seconds(unix_seconds));
}

inline StoredClient client_named(std::string name) {
    StoredClient client{std::move(name), {}, at(1'700'000'000), std::nullopt};
    for (std::size_t i = 0; i < client.stored_key.size(); ++i)
        client.stored_key[i] = static_cast<Byte>(client.name.front() + static_cast<int>(i));
    return client;
}

inline StoredMapping mapping_of(std::string client, std::string name) {
    return {std::move(client),
            {std::move(name), {Protocol::tcp, {}, {2222, 2222}, {}}, *parse_service("127.0.0.1:22")},
            at(1'700'000'001)};
}

}  // namespace tunnel::server
