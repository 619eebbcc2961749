import '@lexora/protocol/polyfill'
