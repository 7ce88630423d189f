"use strict";(self.rspackChunkpracticum_handin=self.rspackChunkpracticum_handin||[]).push([["style_index_js"],{"./node_modules/css-loader/dist/cjs.js!./style/index.css"(e,t,r){var o=r("./node_modules/css-loader/dist/runtime/noSourceMaps.js"),n=r.n(o),a=r("./node_modules/css-loader/dist/runtime/api.js"),i=(r.n(a))()(n());i.push([e.id,`.practicum-panel {
  overflow-y: auto;
  padding: 8px 10px 24px;
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.45;
  min-width: 180px;
}

.practicum-panel header {
  display: flex;
  justify-content: space-between;
  align-items: center;
  gap: 8px;
}

.practicum-panel h2,
.practicum-panel h3,
.practicum-panel h4,
.practicum-panel p,
.practicum-panel ul {
  margin: 0;
}

.practicum-panel h2 {
  font-size: var(--jp-ui-font-size2);
}

.practicum-panel h3 {
  margin: 16px 0 6px;
  font-size: var(--jp-ui-font-size1);
  color: var(--jp-ui-font-color2);
}

.practicum-panel h4 {
  font-size: var(--jp-ui-font-size1);
  overflow-wrap: anywhere;
}

.practicum-said {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}

.practicum-card {
  display: flex;
  flex-direction: column;
  gap: 6px;
  padding: 10px;
  margin-bottom: 10px;
  border: 1px solid var(--jp-border-color2);
  border-radius: 6px;
}

.practicum-due,
.practicum-standing {
  color: var(--jp-ui-font-color2);
}

.practicum-missed {
  color: var(--jp-error-color0, #b00020);
  font-weight: 600;
}

.practicum-actions {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
}

.practicum-panel button.jp-mod-styled {
  margin: 0;
  padding: 0 10px;
  height: 28px;
  line-height: 28px;
  letter-spacing: normal;
  border-radius: 4px;
}

.practicum-panel button[aria-disabled='true'] {
  opacity: 0.5;
  cursor: default;
}

.practicum-panel :is(button, summary, a):focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: 2px;
}

.practicum-busy progress {
  display: block;
  width: 100%;
}

.practicum-outcome {
  padding: 8px 10px;
  border-left: 4px solid var(--jp-border-color1);
  background: var(--jp-layout-color2);
  overflow-wrap: anywhere;
}

.practicum-good {
  border-color: var(--jp-success-color1);
}

.practicum-todo {
  border-color: var(--jp-warn-color1);
}

.practicum-error {
  border-color: var(--jp-error-color1);
}

.practicum-outcome ul {
  padding: 0;
  list-style: none;
}

.practicum-outcome li {
  margin-top: 6px;
}

.practicum-facts {
  margin-top: 4px;
  font-variant-numeric: tabular-nums;
}

.practicum-panel code {
  font-family: var(--jp-code-font-family);
  font-size: 0.95em;
}

.practicum-panel summary {
  cursor: pointer;
  color: var(--jp-ui-font-color2);
}

.practicum-panel details > p {
  margin: 4px 0 8px;
}

.practicum-outcome details {
  margin-top: 8px;
}

.practicum-receipt {
  padding: 6px 0;
  border-top: 1px solid var(--jp-border-color3);
}

.practicum-receipt a {
  color: var(--jp-content-link-color);
}

.practicum-feedback-area {
  height: 100%;
}

.practicum-feedback {
  width: 100%;
  height: 100%;
  border: 0;
  background: #fff;
}
`,""]),r.d(t,{},{A:i})},"./node_modules/css-loader/dist/runtime/api.js"(e){e.exports=function(e){var t=[];return t.toString=function(){return this.map(function(t){var r="",o=void 0!==t[5];return t[4]&&(r+="@supports (".concat(t[4],") {")),t[2]&&(r+="@media ".concat(t[2]," {")),o&&(r+="@layer".concat(t[5].length>0?" ".concat(t[5]):""," {")),r+=e(t),o&&(r+="}"),t[2]&&(r+="}"),t[4]&&(r+="}"),r}).join("")},t.i=function(e,r,o,n,a){"string"==typeof e&&(e=[[null,e,void 0]]);var i={};if(o)for(var s=0;s<this.length;s++){var c=this[s][0];null!=c&&(i[c]=!0)}for(var l=0;l<e.length;l++){var p=[].concat(e[l]);o&&i[p[0]]||(void 0!==a&&(void 0===p[5]||(p[1]="@layer".concat(p[5].length>0?" ".concat(p[5]):""," {").concat(p[1],"}")),p[5]=a),r&&(p[2]&&(p[1]="@media ".concat(p[2]," {").concat(p[1],"}")),p[2]=r),n&&(p[4]?(p[1]="@supports (".concat(p[4],") {").concat(p[1],"}"),p[4]=n):p[4]="".concat(n)),t.push(p))}},t}},"./node_modules/css-loader/dist/runtime/noSourceMaps.js"(e){e.exports=function(e){return e[1]}},"./node_modules/style-loader/dist/runtime/injectStylesIntoStyleTag.js"(e){var t=[];function r(e){for(var r=-1,o=0;o<t.length;o++)if(t[o].identifier===e){r=o;break}return r}function o(e,o){for(var n={},a=[],i=0;i<e.length;i++){var s=e[i],c=o.base?s[0]+o.base:s[0],l=n[c]||0,p="".concat(c," ").concat(l);n[c]=l+1;var u=r(p),d={css:s[1],media:s[2],sourceMap:s[3],supports:s[4],layer:s[5]};if(-1!==u)t[u].references++,t[u].updater(d);else{var m=function(e,t){var r=t.domAPI(t);return r.update(e),function(t){t?(t.css!==e.css||t.media!==e.media||t.sourceMap!==e.sourceMap||t.supports!==e.supports||t.layer!==e.layer)&&r.update(e=t):r.remove()}}(d,o);o.byIndex=i,t.splice(i,0,{identifier:p,updater:m,references:1})}a.push(p)}return a}e.exports=function(e,n){var a=o(e=e||[],n=n||{});return function(e){e=e||[];for(var i=0;i<a.length;i++){var s=r(a[i]);t[s].references--}for(var c=o(e,n),l=0;l<a.length;l++){var p=r(a[l]);0===t[p].references&&(t[p].updater(),t.splice(p,1))}a=c}}},"./node_modules/style-loader/dist/runtime/insertBySelector.js"(e){var t={};e.exports=function(e,r){var o=function(e){if(void 0===t[e]){var r=document.querySelector(e);if(window.HTMLIFrameElement&&r instanceof window.HTMLIFrameElement)try{r=r.contentDocument.head}catch(e){r=null}t[e]=r}return t[e]}(e);if(!o)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");o.appendChild(r)}},"./node_modules/style-loader/dist/runtime/insertStyleElement.js"(e){e.exports=function(e){var t=document.createElement("style");return e.setAttributes(t,e.attributes),e.insert(t,e.options),t}},"./node_modules/style-loader/dist/runtime/setAttributesWithoutAttributes.js"(e,t,r){e.exports=function(e){var t=r.nc;t&&e.setAttribute("nonce",t)}},"./node_modules/style-loader/dist/runtime/styleDomAPI.js"(e){e.exports=function(e){if("u"<typeof document)return{update:function(){},remove:function(){}};var t=e.insertStyleElement(e);return{update:function(r){var o,n,a;o="",r.supports&&(o+="@supports (".concat(r.supports,") {")),r.media&&(o+="@media ".concat(r.media," {")),(n=void 0!==r.layer)&&(o+="@layer".concat(r.layer.length>0?" ".concat(r.layer):""," {")),o+=r.css,n&&(o+="}"),r.media&&(o+="}"),r.supports&&(o+="}"),(a=r.sourceMap)&&"u">typeof btoa&&(o+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),e.styleTagTransform(o,t,e.options)},remove:function(){var e;null===(e=t).parentNode||e.parentNode.removeChild(e)}}}},"./node_modules/style-loader/dist/runtime/styleTagTransform.js"(e){e.exports=function(e,t){if(t.styleSheet)t.styleSheet.cssText=e;else{for(;t.firstChild;)t.removeChild(t.firstChild);t.appendChild(document.createTextNode(e))}}},"./style/index.js"(e,t,r){var o=r("./node_modules/style-loader/dist/runtime/injectStylesIntoStyleTag.js"),n=r.n(o),a=r("./node_modules/style-loader/dist/runtime/styleDomAPI.js"),i=r.n(a),s=r("./node_modules/style-loader/dist/runtime/insertBySelector.js"),c=r.n(s),l=r("./node_modules/style-loader/dist/runtime/setAttributesWithoutAttributes.js"),p=r.n(l),u=r("./node_modules/style-loader/dist/runtime/insertStyleElement.js"),d=r.n(u),m=r("./node_modules/style-loader/dist/runtime/styleTagTransform.js"),f=r.n(m),y=r("./node_modules/css-loader/dist/cjs.js!./style/index.css"),v={};v.styleTagTransform=f(),v.setAttributes=p(),v.insert=c().bind(null,"head"),v.domAPI=i(),v.insertStyleElement=d(),n()(y.A,v),y.A&&y.A.locals&&y.A.locals}}]);