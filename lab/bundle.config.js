// Ids by name: the usual ones are hashed from where this folder lies, and the same source would not build the same bytes.
module.exports = { optimization: { moduleIds: 'named', chunkIds: 'named' } };
