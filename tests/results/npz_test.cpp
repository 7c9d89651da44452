// .npz files: what is written reads back, and whatever is broken is refused in one line that names the file.
#include "results/npz.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <cstdlib>
#include <limits>
#include <random>

#include "support/test_files.hpp"

namespace phasegrid {
namespace {

using testing::Bytes;
using testing::expect_refusal;
using testing::refusal;
using testing::TemporaryFolder;
using testing::write_bytes;

template <class T>
NpyArray array_of(const std::vector<T>& values, std::vector<std::size_t> shape) {
  return make_array(std::span<const T>(values), std::move(shape));
}

// Every type that we write, in many shapes.
NpzArrays many_arrays() {
  NpzArrays arrays;
  const std::vector<std::vector<std::size_t>> shapes = {{},        {1},    {7},       {0},
                                                        {2, 0, 3}, {2, 3}, {3, 1, 2}, {2, 1, 2, 3, 2}};
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::size_t size = NpyArray{"<f4", shapes[i], {}}.size();
    std::vector<float> floats(size);
    std::vector<double> doubles(size);
    std::vector<std::int32_t> integers(size);
    for (float& value : floats) value = static_cast<float>(normal(random));
    for (double& value : doubles) value = normal(random);
    for (std::int32_t& value : integers) value = static_cast<std::int32_t>(random());
    arrays.emplace_back(fmt::format("floats{}", i), array_of(floats, shapes[i]));
    arrays.emplace_back(fmt::format("doubles{}", i), array_of(doubles, shapes[i]));
    arrays.emplace_back(fmt::format("integers{}", i), array_of(integers, shapes[i]));
  }
  for (const char* text : {"", "x", "{\"a key\": [1, 2]}"}) {
    arrays.emplace_back(fmt::format("text{}", arrays.size()), make_string(text));
  }
  return arrays;
}

// An .npy as NumPy writes it, with any header.
std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string text = std::string("\x93NUMPY") + version + '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) text += static_cast<char>(header.size() >> 8 * i & 0xff);
  return text + header + data;
}

std::string header_of(const std::string& type, const std::string& shape, const std::string& fortran = "False") {
  return fmt::format("{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}\n", type, fortran, shape);
}

// A folder with one .npz in it that holds one file: a sound zip, whatever its content.
struct OneEntry {
  TemporaryFolder folder;
  std::string path = folder.file("one.npz");

  explicit OneEntry(const std::string& content, const std::string& name = "key.npy") {
    zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    EXPECT_GE(zip_file_add(archive, name.c_str(), source, 0), 0);
    EXPECT_EQ(zip_close(archive), 0);
  }
};

void expect_content_refused(const std::string& content, const std::string& reason) {
  const OneEntry file(content);
  expect_refusal(file.path, reason, [&] { NpzFile{file.path}; });
}

TEST(Npz, EveryTypeAndShapeReadsBack) {
  const TemporaryFolder folder;
  const std::string path = folder.file("many.npz");
  const NpzArrays arrays = many_arrays();
  write_bytes(path, npz_bytes(arrays));
  const NpzFile file(path);
  EXPECT_EQ(file.path(), path);
  for (const auto& [key, array] : arrays) {
    ASSERT_TRUE(file.has(key)) << key;
    EXPECT_EQ(file.array(key).type, array.type) << key;
    EXPECT_EQ(file.array(key).shape, array.shape) << key;
    EXPECT_EQ(file.array(key).bytes, array.bytes) << key;
    EXPECT_NO_THROW(file.expect_shape(key, array.shape)) << key;
  }
  EXPECT_FALSE(file.has("other"));
}

TEST(Npz, EqualArraysGiveEqualBytesInEveryTimeZone) {
  const Bytes bytes = npz_bytes(many_arrays());
  const char* before = std::getenv("TZ");
  const std::string zone = before != nullptr ? before : "";
  for (const char* other : {"UTC", "PST8", "JST-9"}) {
    setenv("TZ", other, 1);
    tzset();
    EXPECT_TRUE(npz_bytes(many_arrays()) == bytes) << other;
  }
  if (before != nullptr) {
    setenv("TZ", zone.c_str(), 1);
  } else {
    unsetenv("TZ");
  }
  tzset();
}

TEST(Npz, NumbersConvert) {
  const TemporaryFolder folder;
  const std::string path = folder.file("numbers.npz");
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  write_bytes(path, npz_bytes({{"floats", array_of<float>({1.5f, -2}, {2})},
                               {"nan", array_of<float>({kNan}, {})},
                               {"large", array_of<double>({2147483648.0}, {})},
                               {"limits", array_of<double>({-2147483648.0, 2147483647.0}, {2})},
                               {"text", make_string("config")},
                               {"letters", NpyArray{"<U1", {2}, Bytes(8)}}}));
  const NpzFile file(path);
  EXPECT_EQ(file.doubles("floats"), (std::vector<double>{1.5, -2}));
  EXPECT_EQ(file.floats("limits"), (std::vector<float>{-2147483648.0f, 2147483648.0f}));
  EXPECT_EQ(file.integers("limits"), (std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min(),
                                                                std::numeric_limits<std::int32_t>::max()}));
  EXPECT_EQ(file.text("text"), "config");
  for (const char* key : {"floats", "nan", "large"}) {
    expect_refusal(path, fmt::format("'{}' must hold 32-bit integers", key), [&] { file.integers(key); });
  }
  expect_refusal(path, "'text' must hold numbers", [&] { file.doubles("text"); });
  for (const char* key : {"floats", "letters"}) expect_refusal(path, "must be one string", [&] { file.text(key); });
  expect_refusal(path, "has no array 'absent'", [&] { file.array("absent"); });
  expect_refusal(path, "'floats' must have the shape (2, 1), not (2,)", [&] { file.expect_shape("floats", {2, 1}); });
}

TEST(Npz, WhatNumPyWritesIsRead) {
  const std::string eight("\x01\0\0\0\0\0\0\x80", 8);
  for (const char version : {1, 2, 3}) {
    const OneEntry file(npy(header_of("'<i8'", "(1,)"), eight, version));
    EXPECT_EQ(NpzFile(file.path).doubles("key"), std::vector<double>{-9223372036854775807.0});
  }
  const OneEntry line(npy(header_of("'<f8'", "(1,)", "True"), eight));  // one dimension has both orders
  EXPECT_EQ(NpzFile(line.path).array("key").shape, std::vector<std::size_t>{1});
}

TEST(Npz, UnusableArraysAreRefused) {
  const std::string eight(8, '\0');
  const std::string good = npy(header_of("'<f4'", "(2,)"), eight);
  expect_content_refused("", "'key' is not a NumPy array");
  expect_content_refused("\x93NUMP" + good.substr(6), "'key' is not a NumPy array");
  expect_content_refused("\x92" + good.substr(1), "'key' is not a NumPy array");
  expect_content_refused(good.substr(0, 40), "'key' has a broken header");
  expect_content_refused(good.substr(0, good.size() - 1), "'key' is not as long as its shape says");
  expect_content_refused(good + "x", "'key' is not as long as its shape says");
  expect_content_refused(npy(header_of("'<f4'", "(1, 2)", "True"), eight), "'key' is in Fortran order");
  expect_content_refused(npy("{'descr': '<f4'}", eight), "'key' has a broken header");
  expect_content_refused(npy(header_of("'<f4'", "(-2,)"), eight), "'key' has a broken header");
}

// Such arrays are passed over: pickled objects of the authors' files are never looked into.
TEST(Npz, OtherElementsAreRefusedOnlyWhereTheyAreAskedFor) {
  const std::string eight(8, '\0');
  auto expect_passed_over = [&](const char* type, const std::string& reason) {
    const OneEntry entry(npy(header_of(type, "(2,)"), eight));
    const NpzFile file(entry.path);
    EXPECT_TRUE(file.has("key"));
    expect_refusal(entry.path, reason, [&] { file.array("key"); });
    expect_refusal(entry.path, reason, [&] { file.doubles("key"); });
    expect_refusal(entry.path, reason, [&] { file.text("key"); });
    expect_refusal(entry.path, reason, [&] { file.expect_shape("key", {2}); });
  };
  for (const char* type : {"'|O'", "'>f4'", "'<f2'", "'|b1'", "'<U'", "'<U0'", "'<U99999999999'", "'<Ux'", "''"}) {
    expect_passed_over(type, "'key' has elements of type");
  }
  for (const char* type : {"[('a', '<f4')]", "'<f4\n'", "7"}) {
    expect_passed_over(type, "'key' has no simple element type");
  }
}

TEST(Npz, GiantShapesAreRefusedWithoutAllocatingThem) {
  for (const char* shape : {"(999999999999,)", "(65536, 65536, 65536, 65536)", "(4294967296, 4294967296)",
                            "(2, 999999999999, 0)", "(0, 99999999999999999999999)", "(9223372036854775807,)"}) {
    const OneEntry file(npy(header_of("'<f8'", shape), "12345678"));
    EXPECT_NE(refusal(file.path, [&] { NpzFile{file.path}; }), "") << shape;
  }
}

TEST(Npz, LongHeadersAreRefused) {
  for (const std::size_t length : {std::size_t{3000}, std::size_t{65000}}) {
    expect_content_refused(npy(header_of("'" + std::string(length, 'f') + "'", "(2,)"), ""),
                           "'key' has a broken header");
    expect_content_refused(npy(header_of("'<f4'", "(" + std::string(length, ' ') + "0)"), ""),
                           "'key' has a broken header");
  }
  const OneEntry file(npy(header_of("'<f4'", "(" + std::string(1900, ' ') + "0)"), ""));
  EXPECT_EQ(NpzFile(file.path).array("key").size(), 0u);
}

TEST(Npz, NamesInMessagesAreOneLine) {
  const OneEntry file("nothing", "two\nlines.npy");
  expect_refusal(file.path, "'two?lines' is not a NumPy array", [&] { NpzFile{file.path}; });
}

TEST(Npz, WhatIsNoArchiveIsRefused) {
  const TemporaryFolder folder;
  write_bytes(folder.file("empty.npz"), {});
  write_bytes(folder.file("noise.npz"), Bytes(5000, std::byte{'P'}));
  for (const std::string& path : {folder.file("absent.npz"), folder.path(), folder.file("empty.npz") + "/inside.npz",
                                  folder.file("empty.npz"), folder.file("noise.npz")}) {
    EXPECT_NE(refusal(path, [&] { NpzFile{path}; }), "") << path;
  }
}

TEST(Npz, EveryTruncationIsRefused) {
  const TemporaryFolder folder;
  const std::string path = folder.file("short.npz");
  const Bytes whole = npz_bytes(many_arrays());
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    write_bytes(path, std::span(whole).first(size));
    EXPECT_NE(refusal(path, [&] { NpzFile{path}; }), "") << size;
  }
}

TEST(Npz, WhatUnpacksToFarMoreThanItHoldsIsRefused) {
  const TemporaryFolder folder;
  const std::string path = folder.file("bomb.npz");
  const std::string zeros(std::size_t{300} << 20, '\0');
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  zip_source_t* source = zip_source_buffer(archive, zeros.data(), zeros.size(), 0);
  ASSERT_GE(zip_file_add(archive, "key.npy", source, 0), 0);  // deflated, as is libzip's default
  ASSERT_EQ(zip_close(archive), 0);
  expect_refusal(path, "'key' unpacks to far more than the file holds", [&] { NpzFile{path}; });
}

}  // namespace
}  // namespace phasegrid
